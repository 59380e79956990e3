"""tools.robustness on a few pictures and a tiny network."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facial_expression.core.arrays import read_split
from facial_expression.core.errors import DatasetError, ModelError
from facial_expression.core.files import write_json
from facial_expression.network import keras_file
from tests.helpers import make_split
from tests.stages.test_evaluate import CLASSES, SIDE, build
from tools.robustness import __main__ as robustness
from tools.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupted

COUNT = 30


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """arrays/ with the split val, and model.keras."""
    root = tmp_path_factory.mktemp("place")
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
    make_split(root / "arrays", "val", images, np.arange(COUNT) % 3)
    write_json(root / "arrays/classes.json", CLASSES)
    keras_file.save(build(), root / "model.keras")
    return root


def arguments(place: Path, out: Path, *options: str) -> list[str]:
    named = {"model": place / "model.keras", "arrays": place / "arrays", "out": out}
    paths = [part for name, path in named.items() for part in (f"--{name}", str(path))]
    return [*paths, "--threads", "2", *options]


def accuracies(out: Path) -> dict[tuple[str, int], float]:
    table = pd.read_csv(out / "robustness.csv")
    return table.set_index(["corruption", "strength"])["accuracy"].to_dict()


@pytest.fixture(scope="module")
def done(place) -> Path:
    robustness.main(arguments(place, place / "out", "--sheet"))
    return place / "out"


def test_the_table_holds_the_accuracy_under_every_corruption(place, done):
    found = accuracies(done)
    cases = {(name, strength) for name in CORRUPTIONS for strength in STRENGTHS}
    assert set(found) == cases | {("none", 0)}
    split = read_split(place / "arrays", "val")
    model = keras_file.load(place / "model.keras")
    for name, strength in [("blur", 0), ("noise", 2), ("rotation", 5), ("jpeg", 1)]:
        images = corrupted(np.asarray(split.images), name, strength, 0)
        guesses = model.predict(images[..., None], verbose=0).argmax(axis=1)
        key = (name, strength) if strength else ("none", 0)
        assert found[key] == pytest.approx(np.mean(guesses == split.labels), abs=1e-6)
    assert len(set(found.values())) > 5, "else a table of one number would pass"
    for name in ("robustness", "corruptions"):
        assert (done / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_two_runs_give_the_same_bytes_and_the_seed_matters(place, done, tmp_path, capsys):
    robustness.main(arguments(place, tmp_path / "again"))
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (done / path.name).read_bytes()
    one = accuracies(done)
    printed = capsys.readouterr().out
    assert f"no corruption: {100 * one['none', 0]:.1f}" in printed
    assert all(f"| {100 * one[case]:.1f} |" in printed for case in one if case[1] == 3)
    robustness.main(arguments(place, tmp_path / "other", "--seed", "1"))
    other = accuracies(tmp_path / "other")
    assert one != other
    assert [one["blur", k] for k in STRENGTHS] == [other["blur", k] for k in STRENGTHS]


def test_a_split_that_is_not_there_and_a_model_that_does_not_fit_are_refused(place, tmp_path):
    with pytest.raises(DatasetError, match="split 'test', found val"):
        robustness.main(arguments(place, tmp_path / "out", "--split", "test"))
    keras_file.save(build(12), tmp_path / "other.keras")
    with pytest.raises(ModelError, match=r"squares \(None, 16, 16, 1\) into 3 classes"):
        robustness.main(
            arguments(place, tmp_path / "out", "--model", str(tmp_path / "other.keras"))
        )
    assert not (tmp_path / "out").exists()
