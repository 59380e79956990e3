"""The whole tool on tiny drawn arrays: planted errors, resuming, refusals."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from facial_expression.core.files import write_json
from tests.helpers import make_split
from tests.train.recipes import RECIPE
from tools.label_errors import __main__ as label_errors
from tools.label_errors import cross_fitting

CLASSES = ["dark", "light", "striped"]
WRONG = [3, 40, 77]  # of 120 pictures, three labels are flipped to the next class
TINY = replace(RECIPE, epochs=6, batch_size=8, keep="best")


@pytest.fixture
def arrays(tmp_path) -> Path:
    """Only the split train: pictures of three kinds that a network tells apart at once."""
    rng = np.random.default_rng(0)
    truth = np.arange(120) % 3
    images = rng.integers(0, 60, (120, 16, 16)) + np.where(truth == 1, 180, 0)[:, None, None]
    images[truth == 2, ::2] += 180
    labels = truth.copy()
    labels[WRONG] = (truth[WRONG] + 1) % 3
    make_split(tmp_path / "arrays", "train", images, labels)
    write_json(tmp_path / "arrays/classes.json", CLASSES)
    return tmp_path / "arrays"


@pytest.fixture
def recipe(tmp_path) -> Path:
    with (tmp_path / "recipe.yaml").open("w", encoding="utf-8") as stream:
        yaml.safe_dump({"train": asdict(TINY)}, stream)
    return tmp_path / "recipe.yaml"


def call(arrays: Path, recipe: Path, out: Path, folds: int = 2) -> None:
    arguments = ["--arrays", arrays, "--recipe", recipe, "--folds", folds, "--out", out]
    label_errors.main([str(argument) for argument in arguments])


def written(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("label_errors.*")}


@pytest.mark.slow
def test_planted_errors_lead_the_list_and_a_killed_run_goes_on(arrays, recipe, tmp_path, capsys):
    out = tmp_path / "whole"
    call(arrays, recipe, out)
    printed = capsys.readouterr().out
    assert "fold 2/2, epoch 6/6: " in printed, "all epochs: nothing stops on the judged fold"
    assert "0.0 min left" in printed
    table = pd.read_csv(out / "label_errors.csv")
    assert list(table) == [
        "rank", "path", "label", "suggested", "self_confidence", "margin", *CLASSES
    ]  # fmt: skip
    rows = table.to_dict("records")
    assert {row["path"] for row in rows[:3]} == {f"train/{i}.png" for i in WRONG}
    for row in rows[:3]:
        number = int(row["path"].removeprefix("train/").removesuffix(".png"))
        assert row["suggested"] == CLASSES[number % 3]
        assert row["label"] == CLASSES[(number + 1) % 3]
        assert float(row["self_confidence"]) == float(row[row["label"]])
        assert float(row["margin"]) == pytest.approx(
            float(row[row["label"]]) - float(row[row["suggested"]]), abs=2e-6
        )
        assert sum(float(row[name]) for name in CLASSES) == pytest.approx(1, abs=1e-5)
    counts = json.loads((out / "label_errors.json").read_text("utf-8"))
    assert counts["pictures"] == 120
    assert counts["suspects"] == len(rows)
    assert counts["folds"] == 2
    assert counts["recipe"]["keep"] == "last"
    joint = [share for row in counts["estimated_joint"].values() for share in row.values()]
    assert sum(joint) == pytest.approx(1, abs=1e-5)
    assert (out / "label_errors.png").read_bytes().startswith(b"\x89PNG")

    broken = tmp_path / "broken"
    shutil.copytree(out / "folds", broken / "folds")
    next(broken.rglob("fold-1.npy")).unlink()
    call(arrays, recipe, broken)
    printed = capsys.readouterr().out
    assert "1 of 2 folds are finished already" in printed
    assert "fold 1/2, epoch" not in printed
    assert written(broken) == written(out)


def test_another_recipe_is_not_served_from_the_folds_of_the_first(arrays, tmp_path, monkeypatch):
    seen = []

    def judged(recipe, train, classes, held_out, title, pace):
        seen.append((recipe.seed, title))
        return np.random.default_rng(0).dirichlet(np.ones(3), held_out.sum()).astype(np.float32)

    monkeypatch.setattr(cross_fitting, "judged", judged)
    for seed in (0, 1, 0):
        label_errors.find(arrays, replace(TINY, seed=seed), 2, tmp_path / "out")
    assert seen == [(seed, f"fold {fold}/2") for seed in (0, 1) for fold in (1, 2)]
