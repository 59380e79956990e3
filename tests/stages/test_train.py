"""The train stage as a process: killed, resumed, refused."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from facial_expression.dataset.arrays import write_array, write_rows
from facial_expression.files import write_json

ROOT = Path(__file__).parents[2]


@pytest.fixture
def arrays(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for split, pictures in (("train", 200), ("val", 40)):
        labels = rng.integers(0, 2, pictures)
        images = (rng.integers(0, 100, (pictures, 48, 48)) + labels[:, None, None] * 20).astype(
            "u1"
        )
        write_array(tmp_path / "arrays" / split / "images-000.npy", images)
        write_array(tmp_path / "arrays" / split / "labels-000.npy", labels)
        write_rows(tmp_path / "arrays", split, [(i, f"{i}.jpg") for i in range(pictures)])
    write_json(tmp_path / "arrays" / "classes.json", ["happy", "sad"])
    return tmp_path / "arrays"


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
    assert "lower train.learning_rate" in message
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "model.keras").exists()
