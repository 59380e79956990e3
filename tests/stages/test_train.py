"""The train stage: killed, resumed, refused."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import sha256_of, write_json
from facial_expression.core.labels import read_classes
from facial_expression.network import keras_file
from facial_expression.network.recipe import Initial, Recipe, Teacher
from stages import train
from tests.clones import ROOT
from tests.helpers import make_split, one_line
from tests.train.recipes import RECIPE


def write_arrays(folder: Path, classes: list[str], pictures: int = 40) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        labels = rng.integers(0, len(classes), pictures)
        images = rng.integers(0, 100, (pictures, 48, 48)) + labels[:, None, None] * 20
        make_split(folder, split, images, labels)
    write_json(folder / "classes.json", classes)
    return folder


@pytest.fixture
def arrays(tmp_path) -> Path:
    return write_arrays(tmp_path / "arrays", ["happy", "sad"])


def arguments(recipe: Recipe, arrays: Path, out: Path) -> list[str]:
    params = out.with_suffix(".yaml")
    params.write_text(json.dumps({"train": asdict(recipe)}), encoding="utf-8")  # JSON is YAML
    resume = out.parent / ".resume"
    values = ["--params", params, "--arrays", arrays, "--out", out, "--resume", resume]
    return [str(value) for value in values]


def trained(recipe: Recipe, arrays: Path, out: Path) -> Path:
    train.main(arguments(recipe, arrays, out))
    return out / "model.keras"


def rows_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path.exists() else 0


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_the_uninterrupted_one(tmp_path, capsys):
    arrays = write_arrays(tmp_path / "arrays", ["happy", "sad"], 200)
    recipe = replace(RECIPE, epochs=6, batch_size=8, schedule="triangular")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    trained(recipe, arrays, whole)
    assert "epoch 6/6" in capsys.readouterr().out

    command = [sys.executable, "-m", "stages.train", *arguments(recipe, arrays, broken)]
    deadline = time.monotonic() + 120
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    while rows_of(broken / "history.csv") < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert b"oneDNN" not in process.communicate()[1]
    assert not (broken / "model.keras").exists()

    trained(recipe, arrays, broken)
    assert "continuing an interrupted run after epoch" in capsys.readouterr().out
    for name in ("model.keras", "history.csv"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    assert not list((tmp_path / ".resume").glob("*"))


@pytest.mark.parametrize("rate", [1e10, 1e30, 1e38])
def test_divergence_is_one_line_and_leaves_no_model(rate, arrays, tmp_path):
    optimizer = replace(RECIPE.optimizer, learning_rate=rate)
    now = f"train.optimizer.learning_rate (now {rate:g})"
    said = one_line("error: the loss is", "in epoch", now)
    with pytest.raises(SystemExit, match=said):
        run(lambda: trained(replace(RECIPE, optimizer=optimizer), arrays, tmp_path / "out"))
    assert not (tmp_path / "out/model.keras").exists()


@pytest.mark.parametrize("known", [True, False])
def test_a_processor_without_bfloat16_trains_in_float32_and_says_so(
    known, arrays, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("facial_expression.network.backend.computes_bfloat16", lambda: known)
    networks = [
        trained(replace(RECIPE, epochs=1, precision=precision), arrays, tmp_path / precision)
        for precision in ("mixed_bfloat16", "float32")
    ]
    assert (networks[0].read_bytes() == networks[1].read_bytes()) is not known
    assert capsys.readouterr().out.count("no instructions for bfloat16") == (0 if known else 1)


def test_a_team_fine_tunes_on_its_own_classes_under_a_teacher(arrays, tmp_path):
    earlier = trained(replace(RECIPE, epochs=1), arrays, tmp_path / "earlier")
    own = write_arrays(tmp_path / "own", ["calm", "frown", "smile"])
    named = {"weights": str(earlier), "sha256": sha256_of(earlier)}
    named["classes"] = tuple(read_classes(arrays / "classes.json"))
    initial = Initial(**named, layer_rate=1, origin="")
    optimizer = replace(RECIPE.optimizer, learning_rate=1e-9)
    recipe = replace(RECIPE, epochs=1, initial=initial, optimizer=optimizer)
    tuned = keras_file.load(trained(recipe, own, tmp_path / "out"))
    assert tuned.output_shape == (None, 3)
    first = [network.get_weights()[0] for network in (tuned, keras_file.load(earlier))]
    np.testing.assert_allclose(*first, atol=1e-6)
    teacher = Teacher(**named, share=0.5)
    taught = trained(replace(RECIPE, epochs=1, teacher=teacher), arrays, tmp_path / "taught")
    assert taught.read_bytes() != earlier.read_bytes(), "the teacher had no say"


@pytest.mark.parametrize("key", ["initial", "teacher"])
def test_another_file_than_the_recipe_means_is_refused(key, arrays, tmp_path):
    path = tmp_path / "other.keras"
    path.write_bytes(b"another network")
    absent = {"weights": str(path), "sha256": "0" * 64, "classes": ()}
    named = {
        "initial": Initial(**absent, layer_rate=1, origin=""),
        "teacher": Teacher(**absent, share=0.5),
    }
    recipe = replace(RECIPE, **{key: named[key]})
    message = rf"train\.{key}\.sha256: expected '0+', found {sha256_of(path)}"
    with pytest.raises(ParameterError, match=message):
        trained(recipe, arrays, tmp_path / "out")
    recipe = replace(RECIPE, **{key: replace(named[key], weights="absent.keras")})
    with pytest.raises(ParameterError, match=rf"train\.{key}\.weights: cannot read absent\.keras"):
        trained(recipe, arrays, tmp_path / "out")
