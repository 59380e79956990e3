"""The train stage as a process: killed, resumed, refused."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facial_expression.core.arrays import write_array, write_rows
from facial_expression.core.errors import ParameterError
from facial_expression.core.files import read_csv, sha256_of, write_json
from facial_expression.network.recipe import Initial, Progressive, Teacher
from facial_expression.train.batches import Batch
from facial_expression.train.checkpoints import State
from stages import train
from tests.train.recipes import RECIPE

ROOT = Path(__file__).parents[2]


def write_arrays(folder: Path, classes: list[str]) -> Path:
    rng = np.random.default_rng(0)
    for split, pictures in (("train", 200), ("val", 40)):
        labels = rng.integers(0, len(classes), pictures)
        images = rng.integers(0, 100, (pictures, 48, 48)) + labels[:, None, None] * 20
        write_array(folder / split / "images-000.npy", images.astype(np.uint8))
        write_array(folder / split / "labels-000.npy", labels)
        write_rows(folder, split, [(i, f"{i}.jpg", True) for i in range(pictures)])
    write_json(folder / "classes.json", classes)
    return folder


@pytest.fixture
def arrays(tmp_path) -> Path:
    return write_arrays(tmp_path / "arrays", ["happy", "sad"])


@pytest.fixture
def recipe(tmp_path) -> Path:
    text = (ROOT / "conf/recipe/sample.yaml").read_text(encoding="utf-8")
    lines = [
        "  epochs: 6" if "epochs:" in line else "  batch_size: 8" if "batch_size:" in line else line
        for line in text.splitlines()
    ]
    path = tmp_path / "recipe.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def command(recipe: Path, arrays: Path, out: Path) -> list[str]:
    arguments = ["--params", recipe, "--arrays", arrays, "--out", out]
    arguments += ["--resume", out.parent / ".resume"]
    return [sys.executable, "-m", "stages.train", *map(str, arguments)]


def rows_of(path: Path) -> int:
    try:
        with path.open(encoding="utf-8") as stream:
            return len(list(csv.DictReader(stream)))
    except FileNotFoundError:
        return 0


def test_a_killed_run_goes_on_and_ends_as_the_unbroken_one(arrays, recipe, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = subprocess.run(command(recipe, arrays, whole), cwd=ROOT, check=True, capture_output=True)
    assert b"epoch 6/6" in done.stdout
    assert b"oneDNN" not in done.stderr

    process = subprocess.Popen(
        command(recipe, arrays, broken), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while rows_of(broken / "history.csv") < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (broken / "model.keras").exists()

    again = subprocess.run(
        command(recipe, arrays, broken), cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "continuing an interrupted run after epoch" in again.stdout
    for name in ("model.keras", "history.csv"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    assert not list((tmp_path / ".resume").glob("*"))


def test_divergence_is_one_line_and_leaves_no_model(arrays, recipe, tmp_path):
    text = recipe.read_text(encoding="utf-8").replace("adamw", "sgd")
    recipe.write_text(text.replace("learning_rate: 0.003", "learning_rate: 1.0e30"), "utf-8")
    done = subprocess.run(
        command(recipe, arrays, tmp_path / "out"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("error: the loss is")
    assert "lower train.optimizer.learning_rate" in message
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "model.keras").exists()


@pytest.fixture
def earlier(arrays, tmp_path) -> Path:
    """An earlier model, of two classes."""
    train.train(replace(RECIPE, epochs=1), arrays, tmp_path / "earlier", tmp_path / ".resume")
    return tmp_path / "earlier" / "model.keras"


def test_a_team_fine_tunes_on_its_own_classes(earlier, tmp_path, capsys):
    own = write_arrays(tmp_path / "own", ["calm", "frown", "smile"])
    initial = Initial(weights=str(earlier), sha256=sha256_of(earlier))
    optimizer = replace(RECIPE.optimizer, learning_rate=1e-9)
    recipe = replace(RECIPE, epochs=1, initial=initial, optimizer=optimizer)
    train.train(recipe, own, tmp_path / "out", tmp_path / ".resume")
    from facial_expression.network import keras_file

    tuned = keras_file.load(tmp_path / "out" / "model.keras")
    assert tuned.output_shape == (None, 3)
    name = tuned.layers[2].name
    np.testing.assert_allclose(
        tuned.get_layer(name).get_weights()[0],
        keras_file.load(earlier).get_layer(name).get_weights()[0],
        atol=1e-6,
    )
    assert "GB of memory" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["initial", "teacher"])
def test_another_file_than_the_recipe_means_is_refused(key, arrays, earlier, tmp_path):
    named = {
        "initial": Initial(weights=str(earlier), sha256="0" * 64),
        "teacher": Teacher(weights=str(earlier), sha256="0" * 64, share=0.5),
    }
    recipe = replace(RECIPE, **{key: named[key]})
    message = rf"train\.{key}\.sha256: expected '0+', found {sha256_of(earlier)}"
    with pytest.raises(ParameterError, match=message):
        train.train(recipe, arrays, tmp_path / "out", tmp_path / ".resume")
    recipe = replace(RECIPE, **{key: replace(named[key], weights="absent.keras")})
    with pytest.raises(ParameterError, match=rf"train\.{key}\.weights: cannot read absent\.keras"):
        train.train(recipe, arrays, tmp_path / "out", tmp_path / ".resume")


def test_a_student_learns_from_an_earlier_model(arrays, earlier, tmp_path):
    teacher = Teacher(weights=str(earlier), sha256=sha256_of(earlier), share=0.5)
    train.train(
        replace(RECIPE, epochs=2, teacher=teacher), arrays, tmp_path / "out", tmp_path / ".resume"
    )
    assert len(list(read_csv(tmp_path / "out" / "history.csv"))) == 2


def test_the_time_left_follows_the_size_of_the_pictures(tmp_path, monkeypatch, capsys):
    """Two epochs at half the side cost a quarter each; compiling counts for nothing."""
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    recipe = replace(RECIPE, epochs=4, progressive=Progressive(side=24, until=0.5))
    reporter = train.Reporter(recipe, 48, tmp_path, tmp_path / "checkpoint")
    batch = Batch(np.zeros((1, 48, 48, 1), np.uint8), np.ones((1, 2), np.float32), None)
    steps = reporter.batches(iter([batch, batch]), 1, 2)
    next(steps)
    clock[0] = 200.0  # the first step, which compiles
    next(steps)
    clock[0] += 30.0
    row = dict.fromkeys(train.HISTORY, 0.5) | {"epoch": 1}
    reporter.after_epoch(State([row]))
    # 30 s for a quarter: 30 + 120 + 120 = 270 s = 4.5 min are left
    assert "30.0 s an epoch, 4.5 min left" in capsys.readouterr().out
