from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from facial_expression.core import saliency_file
from facial_expression.core.arrays import Split, read_split, write_array, write_rows
from facial_expression.core.errors import DatasetError, ModelError, ParameterError, run
from facial_expression.core.files import write_json
from facial_expression.network.backend import configure
from stages import evaluate

if TYPE_CHECKING:
    import keras

SIDE = 16
CLASSES = ["angry", "happy", "sad"]
SIZES = {"train": 23, "val": 12, "test": 9}
THREADS = 2
SCORES = [
    "n",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "balanced_accuracy",
    "macro_f1",
    "top_2_accuracy",
    "log_loss",
    "brier",
]
DRAWN = [f"{score}_{end}" for score in SCORES[4:] for end in ("low", "high")]
LEAKS = {"train": [1], "val": [1, 3], "test": [2]}  # rows of each split that are not leak-free


def build(shape: tuple[int, ...] = (SIDE, SIDE, 1), classes: int = 3) -> keras.Model:
    """A dense layer with large weights: decided, and not symmetric left to right."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    pictures = keras.Input(shape, dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(pictures))
    kernel = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    return keras.Model(
        pictures, layers.Dense(classes, activation="softmax", kernel_initializer=kernel)(x)
    )


@pytest.fixture(scope="module")
def save() -> Callable[[keras.Model, Path], Path]:
    """How a model becomes a file; TensorFlow is imported here, once."""
    configure("tensorflow", THREADS)
    from facial_expression.network import keras_file

    def write(model: keras.Model, path: Path) -> Path:
        keras_file.save(model, path)
        return path

    return write


@pytest.fixture(scope="module")
def folder(save: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage reads: arrays, audit.json, model.keras, a recipe."""
    root = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        images = rng.integers(0, 256, (size, SIDE, SIDE), dtype=np.uint8)
        for number, part in enumerate(np.array_split(np.arange(size), 2)):
            write_array(root / "arrays" / name / f"images-{number:03d}.npy", images[part])
            write_array(root / "arrays" / name / f"labels-{number:03d}.npy", part % 3)
        rows = [
            (i, f"{name}/{CLASSES[i % 3]}/é {i}.png", i not in LEAKS[name]) for i in range(size)
        ]
        write_rows(root / "arrays", name, rows)
    write_json(root / "arrays" / "classes.json", CLASSES)
    write_json(root / "index" / "audit.json", {"protocol": "clean", "labels": "ferplus"})
    recipe = YAML(typ="safe").load(Path(__file__).parents[2] / "conf" / "recipe" / "sample.yaml")
    recipe["train"] |= {"backend": "tensorflow", "threads": THREADS}
    YAML(typ="safe").dump(recipe, root / "recipe.yaml")
    save(build(), root / "model.keras")
    return root


def arguments(folder: Path, out: Path, splits: list[str], **paths: Path) -> list[str]:
    params = out.parent / "data.yaml"
    values = {"splits": splits, "batch_size": 5, "saliency": {"per_class": 2, "seed": 0}}
    YAML(typ="safe").dump({"evaluate": values}, params)
    named = {
        "params": params,
        "recipe": folder / "recipe.yaml",
        "index": folder / "index",
        "arrays": folder / "arrays",
        "model": folder / "model.keras",
        "out": out,
    } | paths
    return [part for name, path in named.items() for part in (f"--{name}", str(path))]


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of one run over the three splits."""
    out = tmp_path_factory.mktemp("done") / "evaluation"
    evaluate.main(arguments(folder, out, ["train", "val", "test"]))
    return out


@pytest.fixture(scope="module")
def model(folder: Path) -> keras.Model:
    from facial_expression.network import keras_file

    return keras_file.load(folder / "model.keras")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def metrics_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def mirrored(split: Split) -> np.ndarray:
    return np.stack([np.fliplr(image) for image in split.images])


def test_the_files_are_those_of_the_contract(done: Path) -> None:
    files = sorted(p.relative_to(done).as_posix() for p in done.rglob("*") if p.is_file())
    assert files == [
        "confused_pairs.csv",
        "confusion.csv",
        "metrics.json",
        "per_class.csv",
        "predictions/test.csv",
        "predictions/train.csv",
        "predictions/val.csv",
        "reliability.csv",
        "risk_coverage.csv",
        "saliency.npz",
    ]


def test_metrics_name_protocol_splits_model_and_versions(done: Path, model: keras.Model) -> None:
    metrics = metrics_of(done)
    assert list(metrics) == [
        "protocol", "labels", "reported_split",
        "train", "val", "val_flip", "val_views", "val_leak_free",
        "test", "test_flip", "test_views", "test_leak_free",
        "calibration", "selective", "model", "versions",
    ]  # fmt: skip
    assert (metrics["protocol"], metrics["labels"]) == ("clean", "ferplus")
    assert metrics["reported_split"] == "test"
    assert metrics["model"] == {
        "side": SIDE,
        "parameters": SIDE * SIDE * 3 + 3,
        "macs": SIDE * SIDE * 3,
    }
    assert {"keras", "numpy"} < set(metrics["versions"])
    for name in ("train", "val", "val_flip", "val_views", "test", "test_flip", "test_views"):
        assert list(metrics[name]) == SCORES + (DRAWN if name in ("val", "test") else [])
        assert metrics[name]["n"] == SIZES[name.split("_")[0]]


def test_the_leak_free_part_is_scored_alone(done: Path) -> None:
    metrics = metrics_of(done)
    for name in ("val", "test"):
        leaks = LEAKS[name]
        rows = table(done / "predictions" / f"{name}.csv")
        right = [row["actual"] == row["predicted"] for i, row in enumerate(rows) if i not in leaks]
        found = metrics[f"{name}_leak_free"]
        assert found["n"] == SIZES[name] - len(leaks) == len(right)
        assert found["accuracy"] == pytest.approx(np.mean(right), abs=1e-6)
        assert found["accuracy_low"] <= found["accuracy"] <= found["accuracy_high"]


def test_the_temperature_is_fitted_on_val_and_measured_on_the_reported_split(
    done: Path, folder: Path, model: keras.Model
) -> None:
    """The best of a grid on val, and the loss that it leaves on test, from the model itself."""
    found = metrics_of(done)["calibration"]
    assert list(found) == ["temperature", "fitted_on", "before", "after"]
    assert found["fitted_on"] == "val"

    def loss(name: str, temperature: float) -> float:
        split = read_split(folder / "arrays", name)
        powers = predicted[name] ** (1 / temperature)
        rows = powers / powers.sum(axis=1, keepdims=True)
        return float(-np.log(rows[np.arange(len(split)), split.labels]).mean())

    predicted = {
        name: model.predict(read_split(folder / "arrays", name).images[..., None], verbose=0)
        .astype(float)
        .clip(1e-15)
        for name in ("val", "test")
    }
    grid = np.geomspace(0.05, 20, 300)
    best = grid[np.argmin([loss("val", temperature) for temperature in grid])]
    assert found["temperature"] == pytest.approx(best, rel=0.05)
    assert abs(best - 1) > 0.2, "else this test could not fail"
    assert found["before"]["log_loss"] == metrics_of(done)["test"]["log_loss"]
    after = loss("test", found["temperature"])
    assert found["after"]["log_loss"] == pytest.approx(after, abs=1e-4)


def test_the_tables_of_trust_are_of_the_reported_split(done: Path) -> None:
    metrics = metrics_of(done)
    bins = table(done / "reliability.csv")
    degrees = {row["when"]: float(row["temperature"]) for row in bins}
    assert degrees == {"before": 1.0, "after": metrics["calibration"]["temperature"]}
    for when in ("before", "after"):
        part = [row for row in bins if (row["when"], row["binning"]) == (when, "equal_mass")]
        assert sum(int(row["n"]) for row in part) == SIZES["test"]
    curve = table(done / "risk_coverage.csv")
    assert len(curve) == SIZES["test"]
    assert float(curve[-1]["coverage"]) == 1.0
    wrong = 1 - metrics["test"]["accuracy"]
    assert float(curve[-1]["risk"]) == pytest.approx(wrong, abs=2e-6)
    area = np.mean([float(row["risk"]) for row in curve])
    assert metrics["selective"]["aurc"] == pytest.approx(area, abs=1e-5)


def test_confused_pairs_count_the_confusion(done: Path) -> None:
    pairs = [(row["actual"], row["predicted"]) for row in table(done / "confusion.csv")]
    rows = table(done / "confused_pairs.csv")
    counts = [int(row["count"]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == sum(actual != guess for actual, guess in pairs) > 0
    for row in rows:
        count = pairs.count((row["actual"], row["predicted"]))
        support = sum(actual == row["actual"] for actual, _ in pairs)
        assert int(row["count"]) == count
        assert float(row["share_of_actual"]) == pytest.approx(count / support, abs=1e-6)


def test_without_a_word_on_labels_they_are_the_folders(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    write_json(index / "audit.json", {"protocol": "notebook"})
    evaluate.main(arguments(folder, tmp_path / "out", ["val"], index=index))
    metrics = metrics_of(tmp_path / "out")
    assert (metrics["protocol"], metrics["labels"]) == ("notebook", "folders")


def test_the_labels_are_those_of_the_audit(tmp_path: Path) -> None:
    rules = {"targets": "majority", "classes": 7, "filter": "published"}
    said = {"protocol": "clean", "labels": "ferplus", "ferplus": rules}
    write_json(tmp_path / "audit.json", said | {"pictures": 9})
    assert evaluate.read_origin(tmp_path / "audit.json") == said
    write_json(tmp_path / "audit.json", {"protocol": "clean"})  # of a run before FER+
    assert evaluate.read_origin(tmp_path / "audit.json")["labels"] == "folders"


@pytest.mark.parametrize("name", SIZES)
def test_predictions_are_those_of_the_model_in_the_order_of_the_arrays(
    done: Path, folder: Path, model: keras.Model, name: str
) -> None:
    split = read_split(folder / "arrays", name)
    expected = model.predict(split.images[..., None], verbose=0)
    rows = table(done / "predictions" / f"{name}.csv")
    assert list(rows[0]) == ["path", "actual", "predicted", *CLASSES]
    assert [row["path"] for row in rows] == split.paths
    assert [row["actual"] for row in rows] == [CLASSES[label] for label in split.labels]
    assert [row["predicted"] for row in rows] == [CLASSES[i] for i in expected.argmax(axis=1)]
    found = np.array([[float(row[label]) for label in CLASSES] for row in rows])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    hits = np.mean([row["actual"] == row["predicted"] for row in rows])
    assert metrics_of(done)[name]["accuracy"] == pytest.approx(hits, abs=1e-6)


def test_flip_averages_the_probabilities_of_both_mirror_images(
    done: Path, folder: Path, model: keras.Model
) -> None:
    split = read_split(folder / "arrays", "test")
    plain, flipped = (
        model.predict(images[..., None], verbose=0).astype(float)
        for images in (split.images, mirrored(split))
    )
    assert np.abs(plain - flipped).max() > 0.1, "else this test could not fail"
    mean = (plain + flipped) / 2
    picked = mean[np.arange(len(split)), split.labels]
    metrics = metrics_of(done)
    assert metrics["test_flip"]["log_loss"] == pytest.approx(-np.log(picked).mean(), abs=1e-4)
    assert metrics["test_flip"]["log_loss"] != metrics["test"]["log_loss"]
    hits = (mean.argmax(axis=1) == split.labels).mean()
    assert metrics["test_flip"]["accuracy"] == pytest.approx(hits, abs=1e-6)


def test_confusion_and_table_are_of_the_reported_split(done: Path) -> None:
    predictions = table(done / "predictions" / "test.csv")
    pairs = [(row["actual"], row["predicted"]) for row in predictions]
    assert [tuple(row.values()) for row in table(done / "confusion.csv")] == pairs
    rows = table(done / "per_class.csv")
    assert list(rows[0]) == ["class", "precision", "recall", "f1", "support"]
    assert [row["class"] for row in rows] == CLASSES
    for row in rows:
        hits = pairs.count((row["class"], row["class"]))
        actual = sum(pair[0] == row["class"] for pair in pairs)
        predicted = sum(pair[1] == row["class"] for pair in pairs)
        assert int(row["support"]) == actual
        assert float(row["recall"]) == pytest.approx(hits / actual, abs=1e-6)
        assert float(row["precision"]) == pytest.approx(hits / max(predicted, 1), abs=1e-6)


def test_saliency_is_grad_cam_of_predictions_of_the_reported_split(
    done: Path, folder: Path, model: keras.Model
) -> None:
    from facial_expression.evaluate.saliency import grad_cam

    found = saliency_file.read(done / "saliency.npz")
    split = read_split(folder / "arrays", "test")
    predictions = table(done / "predictions" / "test.csv")
    chosen = [predictions[row] for row in found.rows]
    wrong = [row["actual"] != row["predicted"] for row in chosen]
    assert found.kinds.tolist() == [
        saliency_file.WRONG if kind else saliency_file.RIGHT for kind in wrong
    ]
    assert {row["actual"] for row in chosen} == set(CLASSES)
    labels = np.array([CLASSES.index(row["predicted"]) for row in chosen])
    maps = grad_cam(model, split.images[found.rows], labels)
    assert maps.max() == 1, "else this test could not fail"
    np.testing.assert_allclose(found.maps / 255, maps, atol=0.5 / 255 + 1e-6)


def test_two_runs_give_the_same_bytes(done: Path, folder: Path, tmp_path: Path) -> None:
    evaluate.main(arguments(folder, tmp_path / "again", ["train", "val", "test"]))
    for path in done.rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(done)).read_bytes() == path.read_bytes()


def test_only_the_splits_that_are_asked_for_are_scored(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main(arguments(folder, tmp_path / "out", ["val"]))
    metrics = metrics_of(tmp_path / "out")
    assert metrics["reported_split"] == "val"
    assert not {"train", "test", "test_flip"} & set(metrics)
    assert [path.name for path in (tmp_path / "out" / "predictions").iterdir()] == ["val.csv"]
    assert len(table(tmp_path / "out" / "confusion.csv")) == SIZES["val"]
    assert capsys.readouterr().out.startswith("val: accuracy ")


def refused(argv: list[str], kind: type[Exception], reason: str) -> None:
    """The stage fails with one line of this kind, and OUT holds no file."""
    out = Path(argv[argv.index("--out") + 1])
    with pytest.raises(kind, match=reason) as caught:
        evaluate.main(argv)
    assert "\n" not in str(caught.value)
    assert not [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "splits",
    [["test", "val"], ["val", "val"], ["val", "train"], ["test"], ["train"], ["train", "test"]],
)
def test_splits_out_of_order_or_without_val_are_refused(
    folder: Path, tmp_path: Path, splits: list[str]
) -> None:
    found = f"evaluate.splits: .* found {', '.join(splits)}"
    refused(arguments(folder, tmp_path / "out", splits), ParameterError, found)


@pytest.mark.parametrize(
    ("splits", "found"), [([], "at least 1 item"), (["dev"], "'train', 'val' or 'test'")]
)
def test_no_split_and_an_unknown_one_are_refused(
    folder: Path, tmp_path: Path, splits: list[str], found: str
) -> None:
    refused(arguments(folder, tmp_path / "out", splits), ParameterError, found)


def test_a_split_that_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    arrays = tmp_path / "arrays"
    arrays.mkdir()
    (arrays / "train").symlink_to(folder / "arrays" / "train")
    argv = arguments(folder, tmp_path / "out", ["val"], arrays=arrays)
    refused(argv, DatasetError, "split 'val', found train")


@pytest.mark.parametrize(
    ("shape", "classes", "found"),
    [
        ((12, 12, 1), 3, r"\(None, 12, 12, 1\)"),
        ((SIDE, SIDE, 3), 3, r"\(None, 16, 16, 3\)"),
        ((10,), 3, r"\(None, 10\)"),
        ((SIDE, SIDE, 1), 7, r"\(None, 7\)"),
    ],
)
def test_a_model_that_does_not_fit_the_arrays_is_refused(
    folder: Path,
    tmp_path: Path,
    save: Callable[..., Path],
    shape: tuple[int, ...],
    classes: int,
    found: str,
) -> None:
    path = save(build(shape, classes), tmp_path / "other.keras")
    argv = arguments(folder, tmp_path / "out", ["val"], model=path)
    refused(argv, ModelError, rf"other\.keras: .*16x16 pictures and 3 classes, found .*{found}")


def test_a_model_that_predicts_nothing_finite_is_refused(
    folder: Path, tmp_path: Path, save: Callable[..., Path]
) -> None:
    broken = build()
    broken.layers[-1].bias.assign([np.nan, 0.0, 0.0])
    path = save(broken, tmp_path / "nan.keras")
    refused(arguments(folder, tmp_path / "out", ["val"], model=path), ModelError, "not finite")


@pytest.mark.parametrize("damage", ["empty", "words", "cut", "missing", "folder"])
def test_what_is_no_model_file_is_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "broken.keras"
    whole = (folder / "model.keras").read_bytes()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"empty": b"", "words": b"words", "cut": whole[:-300]}[damage])
    argv = arguments(folder, tmp_path / "out", ["val"], model=path)
    refused(argv, ModelError, r"broken\.keras: expected a Keras 3 model")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_what_is_no_audit_is_refused(folder: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "index" / "audit.json"
    path.parent.mkdir()
    path.write_text(text)
    argv = arguments(folder, tmp_path / "out", ["val"], index=path.parent)
    refused(argv, DatasetError, r"audit\.json: expected the audit")


def test_a_user_s_mistake_is_one_line_and_exit_code_1(folder: Path, tmp_path: Path) -> None:
    argv = arguments(folder, tmp_path / "out", ["test", "val"])
    with pytest.raises(SystemExit, match=r"^error: evaluate\.splits: expected"):
        run(lambda: evaluate.main(argv))
