from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facial_expression.core import saliency_file
from facial_expression.core.arrays import write_array, write_rows
from facial_expression.core.errors import ArchiveError, DatasetError, ParameterError
from facial_expression.core.files import write_csv, write_json, write_text
from stages.plot import main
from tests.helpers import make_archive, tiny_pictures

CLASSES = ["angry", "happy", "sad"]
FIGURES = {
    "audit_sheet",
    "class_counts",
    "confused_pairs",
    "confusion",
    "curves",
    "hardest_mistakes",
    "per_class_f1",
    "predictions",
    "reliability",
    "risk_coverage",
    "saliency",
    "sample_sheet",
}
PARAMS = {
    "dpi": 60,
    "colour": "#2b6cb0",
    "pictures_per_class": 2,
    "predictions": 4,
    "findings_per_kind": 1,
    "seed": 0,
}


def write_params(data: Path, **changes: object) -> None:
    values = {**PARAMS, **changes}
    lines = [
        f'  {key}: "{value}"' if key == "colour" else f"  {key}: {value}"
        for key, value in values.items()
    ]
    write_text(data / "params.yaml", "plot:\n" + "\n".join(lines) + "\n")


def write_arrays(data: Path, split: str, number: int) -> list[str]:
    """`number` pictures in two shards; their labels go round the classes."""
    images = np.random.default_rng(number).integers(0, 256, (number, 16, 16), dtype=np.uint8)
    labels = np.arange(number, dtype=np.int64) % len(CLASSES)
    folder, half = data / "arrays" / split, number // 2
    for shard, rows in enumerate((slice(0, half), slice(half, None))):
        write_array(folder / f"images-{shard:03}.npy", images[rows])
        write_array(folder / f"labels-{shard:03}.npy", labels[rows])
    paths = [f"{split}/{CLASSES[label]}/{row}.png" for row, label in enumerate(labels)]
    write_rows(data / "arrays", split, [(i, path, True) for i, path in enumerate(paths)])
    return paths


def write_evaluation(data: Path, split: str, paths: list[str], *, mistakes: bool = True) -> None:
    """Every third picture is called happy, whatever it is, unless there are to be no mistakes."""
    rows = []
    for row, path in enumerate(paths):
        actual = CLASSES[row % 3]
        guess = "happy" if mistakes and row % 4 == 0 else actual
        sure = 0.5 + row / (2.5 * len(paths))
        rest = (1 - sure) / 2
        rows.append((path, actual, guess, *(sure if name == guess else rest for name in CLASSES)))
    folder = data / "evaluation"
    write_csv(
        folder / "predictions" / f"{split}.csv", ("path", "actual", "predicted", *CLASSES), rows
    )
    write_csv(folder / "confusion.csv", ("actual", "predicted"), [row[1:3] for row in rows])
    counts = Counter(row[1:3] for row in rows if row[1] != row[2])
    header = ("actual", "predicted", "count", "share_of_actual")
    pairs = [(*pair, count, 0.25) for pair, count in counts.most_common()]
    write_csv(folder / "confused_pairs.csv", header, pairs)
    header = ("when", "temperature", "binning", "low", "high", "n", "confidence", "accuracy")
    bins = [
        (when, degree, binning, 0.4, 0.6, len(rows), 0.5, 0.4 + 0.1 * mistakes)
        for when, degree in (("before", 1.0), ("after", 1.5))
        for binning in ("equal_width", "equal_mass")
    ]
    write_csv(folder / "reliability.csv", header, bins)
    curve = [(0.5, 0.1, 0.8), (1.0, 0.3 * mistakes, 0.4)]
    write_csv(folder / "risk_coverage.csv", ("coverage", "risk", "threshold"), curve)
    header = ("class", "precision", "recall", "f1", "support")
    write_csv(folder / "per_class.csv", header, [(name, 0.8, 0.7, 0.75, 5) for name in CLASSES])


@pytest.fixture
def data(tmp_path) -> Path:
    """What the stages before plot leave, in small; the test split was scored as well."""
    write_params(tmp_path)
    write_json(tmp_path / "arrays" / "classes.json", CLASSES)
    write_arrays(tmp_path, "train", 12)
    for split in ("val", "test"):
        write_evaluation(tmp_path, split, write_arrays(tmp_path, split, 10))
    maps = np.random.default_rng(0).integers(0, 256, (4, 16, 16), dtype=np.uint8)
    explained = saliency_file.Saliency(np.array([0, 3, 1, 8]), np.array([1, 0, 0, 1]), maps)
    saliency_file.write(tmp_path / "evaluation" / "saliency.npz", explained)
    counts = [(name, split, 4) for split in ("train", "val", "test") for name in CLASSES]
    write_csv(tmp_path / "index" / "class_counts.csv", ("class", "split", "count"), counts)
    make_archive(tmp_path / "images.zip", tiny_pictures())
    findings = [
        ("train/sad/Training_0.jpg", "near_duplicate", "test/sad/PublicTest_0.jpg", 0.9),
        ("train/sad/Training_1.png", "near_duplicate", "train/happy/Training_2.jpg", 0.8),
        ("train/happy/Training_3.png", "blank", "", 0.5),
    ]
    write_csv(tmp_path / "index" / "audit.csv", ("path", "kind", "partner", "score"), findings)
    header = ("epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")
    rows = [(1, 0.001, 1.9, 0.3, 1.8, 0.35), (2, 0.001, 1.5, 0.5, 1.6, 0.45)]
    write_csv(tmp_path / "model" / "history.csv", header, rows)
    return tmp_path


def plot(data: Path, out: str = "plots") -> dict[str, bytes]:
    """Run the stage; the files that it left."""
    paths = {
        "params": "params.yaml",
        "images": "images.zip",
        "index": "index",
        "arrays": "arrays",
        "history": "model/history.csv",
        "evaluation": "evaluation",
        "out": out,
    }
    main([part for name, path in paths.items() for part in (f"--{name}", str(data / path))])
    return {path.stem: path.read_bytes() for path in (data / out).iterdir()}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_the_stage_writes_its_pictures_and_the_same_bytes_again(data):
    first = plot(data)
    assert set(first) == FIGURES
    for name, content in first.items():
        image = Image.open(io.BytesIO(content))
        image.load()
        assert image.format == "PNG", name
        assert np.asarray(image.convert("L")).std() > 1, f"{name} is blank"
    assert plot(data, "again") == first


def test_a_parameter_changes_the_figures_that_it_speaks_of(data):
    before = plot(data)
    write_params(data, seed=1)
    assert changed(before, plot(data)) == {"sample_sheet", "predictions"}  # a pair has two pictures
    write_params(data, pictures_per_class=3)
    assert changed(before, plot(data)) == {"sample_sheet", "confused_pairs"}
    write_params(data, predictions=1)
    assert changed(before, plot(data)) == {"predictions", "hardest_mistakes"}
    write_params(data, findings_per_kind=2)
    assert changed(before, plot(data)) == {"audit_sheet"}
    write_params(data, colour="#aa3311")
    assert changed(before, plot(data)) >= {
        "class_counts", "confusion", "curves", "per_class_f1", "reliability", "risk_coverage"
    }  # fmt: skip
    write_params(data, dpi=80)
    assert changed(before, plot(data)) == FIGURES


def test_without_test_the_validation_split_is_shown(data):
    before = plot(data)
    (data / "evaluation" / "predictions" / "test.csv").unlink()
    assert changed(before, plot(data)) >= {"confusion", "predictions", "hardest_mistakes"}


def test_counts_are_matched_by_name_not_by_order(data):
    before = plot(data)
    path = data / "index" / "class_counts.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    by_split = [row for split in ("train", "val", "test") for row in rows[::-1] if split in row]
    write_text(path, "\n".join([header, *by_split]) + "\n")
    assert changed(before, plot(data)) == set()


def test_a_perfect_run_has_an_empty_sheet_of_mistakes(data):
    before = plot(data)
    write_evaluation(
        data, "test", [f"test/{CLASSES[n % 3]}/{n}.png" for n in range(10)], mistakes=False
    )
    after = plot(data)
    height = {
        (key, name): Image.open(io.BytesIO(files[name])).height
        for key, files in (("before", before), ("after", after))
        for name in ("hardest_mistakes", "confused_pairs")
    }
    for name in ("hardest_mistakes", "confused_pairs"):
        assert height["after", name] < height["before", name]


def test_an_audit_without_a_finding_has_an_empty_sheet(data):
    before = plot(data)
    write_text(data / "index" / "audit.csv", "path,kind,partner,score\n")
    assert changed(before, plot(data)) == {"audit_sheet"}


def refused(data: Path, *parts: str, error: type[Exception] = DatasetError) -> None:
    """The stage fails with one line that holds `parts`, and leaves no file."""
    with pytest.raises(error) as caught:
        plot(data)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message
    assert not (data / "plots").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("colour", "blue"), ("dpi", 5), ("predictions", 0), ("seed", -1), ("hue", 3)],
)
def test_a_wrong_parameter_is_named(data, key, value):
    write_params(data, **{key: value})
    refused(data, f"plot.{key}", str(value), error=ParameterError)


def test_no_predictions_at_all(data):
    for split in ("val", "test"):
        (data / "evaluation" / "predictions" / f"{split}.csv").unlink()
    refused(data, "predictions", "run evaluate")


def test_predictions_of_other_pictures(data):
    paths = [f"test/{CLASSES[n % 3]}/other-{n}.png" for n in range(10)]
    write_evaluation(data, "test", paths)
    refused(data, "test.csv", "10 pictures", "run evaluate again")


def test_a_finding_about_a_picture_that_is_not_there(data):
    row = "train/sad/no.png,blank,,0.0\n"
    write_text(data / "index" / "audit.csv", "path,kind,partner,score\n" + row)
    refused(data, "images.zip", "'train/sad/no.png'", "run the index stage", error=ArchiveError)


def test_a_missing_table(data):
    (data / "model" / "history.csv").unlink()
    refused(data, "history.csv", "no such table")


def test_missing_saliency_maps(data):
    (data / "evaluation" / "saliency.npz").unlink()
    refused(data, "saliency.npz", "run evaluate again")


def test_a_table_without_a_column(data):
    write_csv(data / "model" / "history.csv", ("epoch", "loss"), [(1, 2.0)])
    refused(data, "history.csv", "val_accuracy", "epoch, loss")


def test_a_history_without_an_epoch(data):
    path = data / "model" / "history.csv"
    write_text(path, path.read_text(encoding="utf-8").splitlines()[0] + "\n")
    refused(data, "history.csv", "no row")


def test_a_class_that_the_arrays_do_not_know(data):
    path = data / "evaluation" / "confusion.csv"
    write_csv(path, ("actual", "predicted"), [("angry", "bored")])
    refused(data, "confusion.csv", "'bored'", "angry, happy, sad")


def test_reliability_without_the_temperature(data):
    path = data / "evaluation" / "reliability.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    write_text(path, "\n".join(line for line in lines if "after" not in line) + "\n")
    refused(
        data, "reliability.csv", "found before equal_width, before equal_mass", "evaluate again"
    )


def test_the_sheet_of_confused_pairs_shows_the_pictures_of_the_pair(data):
    """Other pixels of one confused picture change its sheet; those of a right one do not."""
    before = plot(data)
    path = data / "arrays" / "test" / "images-000.npy"
    images = np.load(path)
    images[1] = 255 - images[1]  # row 1 is happy and said to be
    write_array(path, images)
    assert "confused_pairs" not in changed(before, plot(data))
    images[0] = 255 - images[0]  # row 0 is angry and said to be happy
    write_array(path, images)
    assert "confused_pairs" in changed(before, plot(data))
