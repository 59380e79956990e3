import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from keras import layers
from sklearn.metrics import log_loss

from facial_expression.core.arrays import read_saliency, read_split
from facial_expression.core.errors import DatasetError, ModelError, ParameterError
from facial_expression.core.files import write_json
from facial_expression.export.onnx_file import run_onnx
from facial_expression.export.run import convert
from facial_expression.metrics import calibration
from facial_expression.network import keras_file
from stages import evaluate
from tests.clones import ROOT
from tests.helpers import make_split, one_line
from tests.metrics.cases import sharpened

SIDE = 16
CLASSES = ["angry", "happy", "sad"]
SIZES = {"train": 23, "val": 12, "test": 9}
LEAKS = {"train": [1], "val": [1, 3], "test": [2]}  # rows of each split that are not leak-free


def build(side: int = SIDE, spread: float = 0.5) -> keras.Model:
    """A dense layer with large weights: decided, and not symmetric left to right."""
    keras.utils.set_random_seed(1)
    pictures = keras.Input((side, side, 1), dtype="uint8", name="pictures")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(pictures))
    kernel = keras.initializers.RandomNormal(stddev=spread, seed=2)
    logits = layers.Dense(3, kernel_initializer=kernel)(x)
    return keras.Model(pictures, layers.Softmax()(logits))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage reads: arrays, audit.json, model.keras."""
    root = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        images = rng.integers(0, 256, (size, SIDE, SIDE), dtype=np.uint8)
        make_split(root / "arrays", name, images, np.arange(size) % 3, 2, LEAKS[name])
    write_json(root / "arrays" / "classes.json", CLASSES)
    (root / "people.csv").write_text("path,group\n", "utf-8")
    write_json(root / "index" / "audit.json", {"protocol": "clean", "labels": "ferplus"})
    keras_file.save(build(), root / "model.keras")
    return root


def arguments(folder: Path, out: Path, splits: list[str], **paths: Path) -> list[str]:
    params = out.parent / "data.yaml"
    values = {"splits": splits, "batch_size": 5, "saliency": {"per_class": 2, "seed": 0}}
    params.write_text(yaml.safe_dump({"evaluate": values}), "utf-8")
    named = {
        "params": params,
        "recipe": ROOT / "conf/recipe/sample.yaml",
        "index": folder / "index",
        "people": folder / "people.csv",
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


def metrics_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "scores.json").read_text(encoding="utf-8"))


def test_the_files_and_entries_are_those_of_the_contract(done):
    assert {p.relative_to(done).as_posix() for p in done.rglob("*") if p.is_file()} == {
        *("metrics.json", "scores.json", "saliency.npz", "confusion.csv", "confused_pairs.csv"),
        *("per_class.csv", "reliability.csv", "risk_coverage.csv"),
        *(f"predictions/{split}.csv" for split in SIZES),
    }
    headline = json.loads((done / "metrics.json").read_text(encoding="utf-8"))
    metrics = metrics_of(done)
    assert headline == {
        "val_acc": metrics["val"]["accuracy"],
        "val_f1": metrics["val"]["macro_f1"],
        "test_acc": metrics["test"]["accuracy"],
        "test_f1": metrics["test"]["macro_f1"],
        "test_ece": metrics["calibration"]["after"]["ece_equal_mass"],
    }
    assert list(metrics) == [
        "protocol", "labels", "reported_split", "classes_absent",
        "train", "val", "val_flip", "val_views", "val_leak_free",
        "test", "test_flip", "test_views", "test_leak_free",
        "calibration", "selective", "model", "versions",
    ]  # fmt: skip
    said = {"protocol": "clean", "labels": "ferplus", "reported_split": "test"}
    assert said.items() <= metrics.items()
    assert metrics["classes_absent"] == {name: [] for name in SIZES}
    weights = SIDE * SIDE * 3
    assert metrics["model"] == {"side": SIDE, "parameters": weights + 3, "macs": weights}
    assert {"keras", "numpy"} < set(metrics["versions"])


@pytest.mark.parametrize("name", SIZES)
def test_predictions_and_scores_are_those_of_the_model(done, folder, name):
    split = read_split(folder / "arrays", name)
    expected = np.asarray(
        keras_file.load(folder / "model.keras")(np.asarray(split.images)[..., None])
    )
    rows = pd.read_csv(done / "predictions" / f"{name}.csv")
    assert list(rows) == ["path", "actual", "predicted", *CLASSES]
    assert rows["path"].tolist() == split.paths
    assert rows["actual"].tolist() == [CLASSES[label] for label in split.labels]
    assert rows["predicted"].tolist() == [CLASSES[i] for i in expected.argmax(axis=1)]
    np.testing.assert_allclose(rows[CLASSES], expected, atol=1e-5)
    right = rows["actual"] == rows["predicted"]
    metrics = metrics_of(done)
    assert metrics[name]["n"] == SIZES[name]
    assert metrics[name]["accuracy"] == pytest.approx(right.mean(), abs=1e-6)
    if name != "train":
        leak_free = metrics[f"{name}_leak_free"]
        assert leak_free["n"] == SIZES[name] - len(LEAKS[name])
        assert leak_free["accuracy"] == pytest.approx(right.drop(LEAKS[name]).mean(), abs=1e-6)


def test_the_tables_are_of_the_reported_split(done):
    metrics = metrics_of(done)
    pairs = pd.read_csv(done / "predictions" / "test.csv")[["actual", "predicted"]]
    assert pd.read_csv(done / "confusion.csv").equals(pairs)
    assert pd.read_csv(done / "per_class.csv")["support"].sum() == SIZES["test"]
    wrong = pairs["actual"] != pairs["predicted"]
    assert pd.read_csv(done / "confused_pairs.csv")["count"].sum() == wrong.sum() > 0
    found = metrics["calibration"]
    assert found["before"]["log_loss"] == metrics["test"]["log_loss"] != found["after"]["log_loss"]
    assert metrics["test_flip"]["log_loss"] != metrics["test"]["log_loss"]
    shown = read_saliency(done / "saliency.npz").rows
    order = list(zip(pairs["actual"].iloc[shown], wrong.iloc[shown], strict=True))
    assert order == sorted(order)
    assert {kind for _, kind in order} == {False, True}


def test_the_temperature_is_fitted_on_val(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "fit_temperature", lambda labels, _: float(len(labels)))
    evaluate.main(arguments(folder, tmp_path / "out", ["val", "test"]))
    assert metrics_of(tmp_path / "out")["calibration"]["temperature"] == SIZES["val"]


def test_however_sure_the_network_what_is_measured_is_what_is_exported(folder, tmp_path):
    """Logits of several hundred, whose probabilities in float32 are 0 and 1."""
    network = build(spread=50)
    keras_file.save(network, tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    for name in ("val", "test"):
        images = rng.integers(0, 256, (60, SIDE, SIDE), dtype=np.uint8)
        labels = np.asarray(network(images[..., None])).argmax(axis=1)
        labels[::5] = (labels[::5] + 1) % 3  # the network is wrong, and sure of it
        make_split(tmp_path / "arrays", name, images, labels)
    write_json(tmp_path / "arrays/classes.json", CLASSES)
    inputs = {"arrays": tmp_path / "arrays", "model": tmp_path / "model.keras"}
    evaluate.main(arguments(folder, tmp_path / "out", ["val", "test"], **inputs))
    measured = metrics_of(tmp_path / "out")["calibration"]
    temperature = measured["temperature"]
    assert temperature > 100
    path = tmp_path / "model.onnx"
    convert(tmp_path / "model.keras", tmp_path / "arrays", "val", temperature, {}, 2, path)
    test, val = (read_split(tmp_path / "arrays", name) for name in ("test", "val"))
    exported = run_onnx(path, np.asarray(test.images), 2).astype(np.float64)
    found = calibration.calibration_scores(test.labels, exported)
    assert measured["after"] == pytest.approx(found, abs=2e-6)
    exported = run_onnx(path, np.asarray(val.images), 2).astype(np.float64)
    losses = [log_loss(val.labels, sharpened(exported, power)) for power in (1, 0.9, 1.1)]
    assert losses[0] == min(losses), "another temperature is better"


def test_a_class_that_a_split_lacks_is_named_beside_its_score(folder, tmp_path, capsys):
    arrays = shutil.copytree(folder / "arrays", tmp_path / "arrays")
    for path in (arrays / "test").glob("labels-*.npy"):
        np.save(path, np.zeros_like(np.load(path)))
    evaluate.main(arguments(folder, tmp_path / "out", ["val", "test"], arrays=arrays))
    assert metrics_of(tmp_path / "out")["classes_absent"] == {"val": [], "test": ["happy", "sad"]}
    first, second, third = capsys.readouterr().out.splitlines()
    assert (first[:5], second[:6]) == ("val: ", "test: ")
    assert third.startswith("test: no picture of happy, sad")


def test_two_runs_give_the_same_bytes(done, folder, tmp_path):
    evaluate.main(arguments(folder, tmp_path / "again", ["train", "val", "test"]))
    for path in done.rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(done)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "origin",
    [
        {"protocol": "notebook", "labels": "folders"},
        {"protocol": "clean", "labels": "ferplus", "ferplus": {"targets": "majority"}},
    ],
)
def test_only_the_named_splits_are_scored_under_the_index_s_protocol_and_labels(
    folder, tmp_path, origin, capsys
):
    write_json(tmp_path / "index/audit.json", origin | {"pictures": 9})
    evaluate.main(arguments(folder, tmp_path / "out", ["val"], index=tmp_path / "index"))
    metrics = metrics_of(tmp_path / "out")
    assert origin.items() <= metrics.items()
    assert metrics["reported_split"] == "val"
    assert not {"train", "test", "test_flip", "pictures"} & set(metrics)
    assert [path.name for path in (tmp_path / "out/predictions").iterdir()] == ["val.csv"]
    assert capsys.readouterr().out.startswith("val: accuracy ")


def refused(argv: list[str], kind: type[Exception], *parts: str) -> None:
    """The stage fails with one line of this kind, and OUT holds no file."""
    out = Path(argv[argv.index("--out") + 1])
    with pytest.raises(kind, match=one_line(*parts)):
        evaluate.main(argv)
    assert not [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("splits", "found"),
    [(["test", "val"], "found ['test', 'val']"), ([], "found []"), (["dev"], "'train', 'val' or")],
)
def test_splits_out_of_order_unknown_or_without_val_are_refused(folder, tmp_path, splits, found):
    refused(arguments(folder, tmp_path / "out", splits), ParameterError, "evaluate.splits", found)


def test_a_model_that_does_not_fit_the_arrays_is_refused(folder, tmp_path):
    other, broken = build(12), build()
    broken.layers[-2].bias.assign([np.nan, 0.0, 0.0])
    for model, reason in ((other, "(None, 12, 12, 1)"), (broken, "NaN")):
        keras_file.save(model, tmp_path / "other.keras")
        argv = arguments(folder, tmp_path / "out", ["val"], model=tmp_path / "other.keras")
        refused(argv, ModelError, "other.keras: ", reason)


@pytest.mark.parametrize(
    ("option", "name", "kind"),
    [
        ("model", "model.keras", ModelError),
        ("index", "audit.json", DatasetError),
        ("arrays", "arrays", DatasetError),
    ],
)
def test_a_missing_or_broken_input_is_named(folder, tmp_path, option, name, kind):
    path = tmp_path if option == "index" else tmp_path / name
    argv = arguments(folder, tmp_path / "out", ["val"], **{option: path})
    refused(argv, kind, name)
    if option != "arrays":
        (tmp_path / name).write_text("[]", encoding="utf-8")
        refused(argv, kind, name)
