"""Small, uneven and oddly named sets go through the whole pipeline and end with a network."""

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.clones import make_clone, run
from tests.fetch.miniatures import MINIATURES
from tests.helpers import drawn_face, encoded, make_folder

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

EXPRESSIONS = ("happy", "sad", "fear")
ODD = ("très heureux", "喜び", 'a,b "c"', "=1+1", "nan", "007", "null", "row", "label", "accuracy")


def faces(**counts: int) -> dict[str, bytes]:
    """Drawn faces by path: so many of each `<split>/<class>`."""
    return {
        f"{of}/{i:03d}.png": encoded(
            Image.fromarray(drawn_face(100 * number + i, EXPRESSIONS[number % 3]))
        )
        for number, (of, count) in enumerate(counts.items())
        for i in range(count)
    }


def reproduced(folder: Path, files: dict[str, bytes]) -> tuple[Path, str]:
    """A clone after one epoch on these pictures, and what `dvc repro` said."""
    clone = make_clone(folder / "clone")
    make_folder(clone / "data/source/folder", files)
    for name, old, new in (
        ("params.yaml", "data: sample", "data: folder"),
        ("conf/recipe/sample.yaml", "epochs: 20", "epochs: 1"),
        ("conf/data/folder.yaml", "splits: [train, val]", "splits: [train, val, test]"),
    ):
        text = (clone / name).read_text(encoding="utf-8")
        assert old in text
        (clone / name).write_text(text.replace(old, new), encoding="utf-8")
    said = run(clone, "dvc", "repro")
    assert (clone / "data/export/model.onnx").exists()
    return clone, said


@pytest.mark.parametrize(
    ("counts", "lacking"),
    [
        (
            {f"train/{name}": 20 for name in ODD} | {"train/sad": 2, "train/fear": 1},
            {"val": "fear, sad", "test": "fear"},
        ),
        (
            {f"train/{label}": 30 for label in EXPRESSIONS} | {"val/happy": 9, "test/sad": 9},
            {"val": "fear, sad", "test": "fear, happy"},
        ),
    ],
    ids=["uneven with odd names", "one class in val"],
)
def test_a_set_ends_with_a_network_and_a_split_says_which_classes_it_lacks(
    tmp_path, counts, lacking
):
    clone, said = reproduced(tmp_path, faces(**counts))
    index = pd.read_csv(clone / "data/index/index.csv", keep_default_na=False, dtype=str)
    train = set(index["class"][index["split"] == "train"])
    assert train == {of.partition("/")[2] for of in counts}
    for split in ("val", "test"):
        told = f"{split}: no picture of {lacking.get(split)}; "
        assert (told in said) == (split in lacking), said


def test_what_raf_db_states_of_people_is_in_the_report(tmp_path):
    clone, _ = reproduced(tmp_path, MINIATURES["raf_db"]())
    scores = json.loads((clone / "data/evaluation/scores.json").read_text(encoding="utf-8"))
    assert {row["attribute"] for row in scores["attributes"]} == {"sex", "race", "age"}
    run(clone, "python", "-m", "tools.report")
    report = (clone / "data/report.html").read_text(encoding="utf-8")
    assert "Scores by attribute, test" in report
    assert "sex: female" in report
