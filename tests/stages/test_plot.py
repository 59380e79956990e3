import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from facial_expression.core.arrays import Saliency, write_saliency
from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.files import write_json
from facial_expression.core.tables import write_table
from facial_expression.evaluate.tables import predictions, tables, trust
from stages.plot import main
from tests.helpers import make_archive, make_split, one_line, tiny_pictures

CLASSES = ["angry", "happy", "sad"]
CHARTS = {"confusion", "curves", "reliability"}
SHEETS = {"audit_sheet", "confused_pairs", "hardest_mistakes"}
SHEETS |= {"predictions", "saliency", "sample_sheet"}
PARAMS = {"dpi": 60, "colour": "#2b6cb0", "seed": 0}
PARAMS |= {"pictures_per_class": 2, "predictions": 4, "findings_per_kind": 1}


def write_params(data: Path, **changes: object) -> None:
    (data / "params.yaml").write_text(yaml.safe_dump({"plot": {**PARAMS, **changes}}), "utf-8")


def write_arrays(data: Path, split: str, number: int) -> list[str]:
    """`number` pictures in two shards; their labels go round the classes."""
    images = np.random.default_rng(number).integers(0, 256, (number, 16, 16), dtype=np.uint8)
    labels = np.arange(number) % len(CLASSES)
    return make_split(data / "arrays", split, images, labels, shards=2)


def write_evaluation(data: Path, split: str, paths: list[str]) -> None:
    """Every fourth picture is called happy, whatever it is."""
    labels = np.arange(len(paths)) % 3
    guesses = np.where(np.arange(len(paths)) % 4 == 0, 1, labels)
    sure = 0.5 + np.arange(len(paths)) / (2.5 * len(paths))
    probabilities = np.where(np.eye(3)[guesses] == 1, sure[:, None], (1 - sure[:, None]) / 2)
    folder = data / "evaluation"
    written = tables(labels, probabilities, probabilities, 1.0, CLASSES)
    written[f"predictions/{split}"] = predictions(paths, labels, probabilities, CLASSES)
    for name, table in written.items():
        write_table(folder / f"{name}.csv", table)
    scores = trust(labels, probabilities, probabilities, 1.0)
    write_json(folder / "scores.json", {"reported_split": split, **scores})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before plot leave, in small; the test split was scored as well."""
    root = tmp_path_factory.mktemp("data")
    write_params(root)
    write_json(root / "arrays" / "classes.json", CLASSES)
    write_arrays(root, "train", 12)
    for split in ("val", "test"):
        write_evaluation(root, split, write_arrays(root, split, 10))
    maps = np.random.default_rng(0).integers(0, 256, (4, 16, 16), dtype=np.uint8)
    explained = Saliency(np.array([0, 3, 1, 8]), maps)
    write_saliency(root / "evaluation" / "saliency.npz", explained)
    make_archive(root / "images.zip", tiny_pictures())
    findings = [
        ("train/sad/Training_0.jpg", "near_duplicate", "test/sad/PublicTest_0.jpg", 0.9),
        ("train/sad/Training_1.png", "near_duplicate", "train/happy/Training_2.jpg", 0.8),
        ("train/happy/Training_3.png", "blank", "", 0.5),
    ]
    found = pd.DataFrame(findings, columns=["path", "kind", "partner", "score"])
    write_table(root / "index" / "audit.csv", found)
    scores = {"loss": [1.9, 1.5], "accuracy": [0.3, 0.5]}
    scores |= {"val_loss": [1.8, 1.6], "val_accuracy": [0.35, 0.45]}
    write_table(root / "model" / "history.csv", pd.DataFrame({"epoch": [1, 2], **scores}))
    return root


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(original, tmp_path / "data")


def plot(data: Path) -> dict[str, bytes]:
    """Run the stage; the files that it left."""
    paths = {"params": "params.yaml", "images": "images.zip", "history": "model/history.csv"}
    paths |= {"index": "index", "arrays": "arrays", "evaluation": "evaluation", "out": "plots"}
    main([part for name, path in paths.items() for part in (f"--{name}", str(data / path))])
    return {path.stem: path.read_bytes() for path in (data / "plots").iterdir()}


@pytest.fixture(scope="module")
def before(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The figures of the unchanged data."""
    return plot(shutil.copytree(original, tmp_path_factory.mktemp("before") / "data"))


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_the_stage_writes_its_pictures_and_the_same_bytes_again(before, data):
    assert set(before) == CHARTS | SHEETS
    for name, content in before.items():
        image = Image.open(io.BytesIO(content))
        assert image.format == "PNG", name
        assert np.asarray(image.convert("L")).std() > 1, f"{name} is blank"
    assert plot(data) == before


@pytest.mark.parametrize(
    ("changes", "figures"),
    [
        # a pair has two pictures: no other choice of them
        ({"seed": 1, "findings_per_kind": 2}, {"sample_sheet", "predictions", "audit_sheet"}),
        ({"colour": "#aa3311"}, CHARTS),
    ],
)
def test_a_parameter_changes_its_figures(before, data, changes, figures):
    write_params(data, **changes)
    assert changed(before, plot(data)) == figures


def test_without_test_the_validation_split_is_shown(before, data):
    write_evaluation(data, "val", write_arrays(data, "val", 10))
    assert changed(before, plot(data)) >= {"confusion", "predictions", "hardest_mistakes"}


def refused(data: Path, *parts: str, error: type[Exception] = DatasetError) -> None:
    """The stage fails with one line that holds `parts`, and leaves no file."""
    with pytest.raises(error, match=one_line(*parts)):
        plot(data)
    assert not (data / "plots").exists()


@pytest.mark.parametrize(("key", "value"), [("colour", "blue"), ("dpi", 5), ("hue", 3)])
def test_a_wrong_parameter_is_named(data, key, value):
    write_params(data, **{key: value})
    refused(data, f"plot.{key}", str(value), error=ParameterError)


OTHER = "path,predicted,angry,happy,sad\nother.png,sad,0,0,1\n"


@pytest.mark.parametrize(
    ("path", "text", "parts"),
    [
        ("model/history.csv", None, ["no such table"]),
        ("evaluation/saliency.npz", None, ["run the evaluate stage again"]),
        ("model/history.csv", "epoch,loss\n1,2\n", ["val_accuracy", "epoch, loss"]),
        ("evaluation/confusion.csv", "actual,predicted\n", ["expected rows, found none"]),
        ("evaluation/predictions/test.csv", OTHER, ["10 pictures", "run evaluate again"]),
    ],
)
def test_a_missing_or_damaged_file_is_named(data, path, text, parts):
    if text is None:
        (data / path).unlink()
    else:
        (data / path).write_text(text, encoding="utf-8")
    refused(data, path, *parts)
