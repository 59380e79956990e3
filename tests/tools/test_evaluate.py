"""tools.evaluate on a few pictures and a tiny network."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from facial_expression.core.errors import DatasetError, ModelError, ParameterError
from facial_expression.core.files import write_json
from facial_expression.network import keras_file
from facial_expression.pictures.images import decode, square
from tests.helpers import make_folder, picture
from tests.stages.test_evaluate import CLASSES, SIDE, build  # angry, happy, sad; 16
from tools.beside import find_classes, find_temperature
from tools.evaluate import __main__ as evaluate

FOLDERS = {"angry": ("angry", 7), "happy": ("happy", 3), "joy": ("happy", 4), "contempt": (None, 2)}
MAPS = ["--map", "joy=happy", "--map", "contempt="]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Pictures under faces/test/<folder>/, and net/model.keras with its classes.json."""
    root = tmp_path_factory.mktemp("place")
    for folder, (_, count) in FOLDERS.items():
        seeds = {n: 100 * len(folder) + n for n in range(count)}
        faces = {f"{n}.png": picture(seed, 20 + n, "PNG") for n, seed in seeds.items()}
        make_folder(root / "faces/test" / folder, faces)
    keras_file.save(build(), root / "net/model.keras")
    write_json(root / "net/classes.json", CLASSES)
    return root


def run(place: Path, out: Path, *options: str, split: str = "test") -> dict[str, Any]:
    named = [str(place / "net/model.keras"), str(place / "faces"), "--out", str(out)]
    evaluate.main([*named, "--split", split, "--threads", "2", "--batch-size", "5", *options])
    return json.loads((out / "scores.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def done(place, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("done") / "out"
    run(place, out, *MAPS)
    return out


@pytest.fixture(scope="module")
def expected(place) -> list[tuple[str, str, np.ndarray]]:
    """(path, class, probabilities) of every picture that is scored, one at a time."""
    model = keras_file.load(place / "net/model.keras")
    rows = []
    for folder in sorted(FOLDERS):
        label, count = FOLDERS[folder]
        for number in range(count if label else 0):
            path = f"test/{folder}/{number}.png"
            image = square(decode((place / "faces" / path).read_bytes()), SIDE)
            rows.append((path, label, model.predict(image[None, ..., None], verbose=0)[0]))
    return rows


def test_every_picture_is_predicted_as_it_should_be(done, expected):
    table = pd.read_csv(done / "predictions.csv")
    named = list(zip(table["path"], table["actual"], strict=True))
    assert named == [row[:2] for row in expected]
    np.testing.assert_allclose(table[CLASSES], [row[2] for row in expected], atol=1e-5)
    assert table["predicted"].tolist() == table[CLASSES].idxmax(axis=1).tolist()


def test_scores_are_of_those_predictions_and_know_what_is_absent(done, expected):
    metrics = json.loads((done / "scores.json").read_text(encoding="utf-8"))
    actual = [label for _, label, _ in expected]
    predicted = [CLASSES[int(p.argmax())] for _, _, p in expected]
    scores = metrics["pictures"]
    assert (metrics["reported_split"], metrics["split"]) == ("pictures", "test")
    assert scores["n"] == len(expected) == 14
    hits = [a == p for a, p in zip(actual, predicted, strict=True)]
    assert 0 < sum(hits) < 14, "else these scores say nothing"
    assert scores["accuracy"] == pytest.approx(np.mean(hits), abs=1e-6)
    per_class = f1_score(actual, predicted, labels=CLASSES, average=None, zero_division=0)
    assert scores["macro_f1_present"] == pytest.approx(per_class[:2].mean(), abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(per_class.mean(), abs=1e-6)
    assert metrics["classes_absent"] == ["sad"]
    assert metrics["left_out"] == {"contempt": 2}
    assert metrics["mapped"] == {"joy": "happy"}
    assert {"pictures_flip", "pictures_views", "calibration", "model", "versions"} <= set(metrics)
    assert "pictures_leak_free" not in metrics, "nothing is known about what was trained on"
    pairs = pd.read_csv(done / "confusion.csv")
    assert pairs.to_numpy().tolist() == [list(pair) for pair in zip(actual, predicted, strict=True)]
    support = pd.read_csv(done / "per_class.csv").set_index("class")["support"]
    assert support.to_dict() == {"angry": 7, "happy": 7, "sad": 0}


def test_a_calibrated_model_and_an_index(place, done, tmp_path):
    """On a folder named train, which is scored like any other."""
    net = shutil.copytree(place / "net", tmp_path / "net")
    write_json(net / "calibration.json", {"temperature": 1.7, "fitted_on": "val"})
    assert (find_temperature(place / "net/model.keras"), find_temperature(net / "x")) == (1.0, 1.7)
    shutil.copytree(place / "faces/test", tmp_path / "faces/train")
    known = decode((place / "faces/test/joy/0.png").read_bytes()).fingerprint
    index = f"split,sha256,dropped_because\ntrain,{known},\ntrain,{'0' * 64},\n"
    (tmp_path / "index.csv").write_text(index, encoding="utf-8")
    options = [*MAPS, "--trained-on", str(tmp_path / "index.csv")]
    found = run(tmp_path, tmp_path / "out", *options, split="train")
    calibration = found["calibration"]
    assert (calibration["temperature"], calibration["fitted_on"]) == (1.7, "other pictures")
    assert calibration["after"] != calibration["before"]
    plain = json.loads((done / "scores.json").read_text(encoding="utf-8"))
    assert plain["calibration"]["after"] == plain["calibration"]["before"]
    assert found["pictures"] == plain["pictures"], "a temperature changes calibration alone"
    assert {"macro_f1_low", "macro_f1_high"} <= found["pictures"].keys()
    assert found["pictures_leak_free"]["n"] == 13
    named = run(tmp_path, tmp_path / "out", *MAPS, "--temperature", "3", split="train")
    assert named["calibration"]["temperature"] == 3


@pytest.mark.parametrize(
    ("options", "split", "kind", "found"),
    [
        ([], "test", DatasetError, "found contempt, joy; say which class"),
        (["--map", "joy"], "test", ParameterError, "expected FOLDER=CLASS or FOLDER=, found 'joy'"),
        (["--classes", "four.json", *MAPS], "test", ModelError, "into 4 classes"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    place, tmp_path, monkeypatch, options, split, kind, found
):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "four.json", [*CLASSES, "zeal"])
    with pytest.raises(kind, match=found):
        run(place, tmp_path / "out", *options, split=split)
    assert not (tmp_path / "out").exists()


def test_classes_are_those_of_the_models_own_run(tmp_path):
    for name in ("model/model.keras", "source/other.keras", "arrays/classes.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"[]")
    assert find_classes(tmp_path / "model/model.keras") == tmp_path / "arrays/classes.json"
    with pytest.raises(DatasetError, match=r"source/classes\.json, found none"):
        find_classes(tmp_path / "source/other.keras")


def test_a_missing_model_is_named_as_one(place, tmp_path):
    with pytest.raises(ModelError, match=r"absent\.keras: no such model"):
        evaluate.main(
            [str(tmp_path / "absent.keras"), str(place / "faces"), "--out", str(tmp_path)]
        )
