"""One fit on several devices: two in one process, and two processes that meet over loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from facial_expression.core.files import write_json
from facial_expression.core.tables import read_table
from facial_expression.network import keras_file
from facial_expression.network.devices import VARIABLES
from facial_expression.network.recipe import Averaging
from tests.clones import ROOT
from tests.helpers import drawn_face, make_split
from tests.train.recipes import PLAIN, RECIPE

pytestmark = [pytest.mark.slow, pytest.mark.extra]

PATIENCE = 240  # seconds for everything that a process does; seconds on a machine that is free
ONE = replace(
    RECIPE,
    model="fast",
    backend="jax",
    threads=1,
    epochs=3,
    schedule="triangular",
    augmentation=replace(PLAIN, flip="alternating", shift=2, erasing=0.3, mixup=0.3),
    averaging=Averaging(decay=0.5, start=0.5),
)
SHARED = replace(ONE, distribution="data_parallel")
CACHE = "JAX_COMPILATION_CACHE_DIR"  # compiling takes most of the time
CACHED = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
LOSS, WEIGHT = 1e-4, 1e-2
"""Largest differences in a loss and, as a share of a layer's largest, in a weight."""


@pytest.fixture(scope="module")
def arrays(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("set") / "arrays"
    for split, count in (("train", 70), ("val", 35)):
        labels = np.arange(count) % 2
        faces = [drawn_face(len(split) + 7 * i, ("happy", "sad")[i % 2]) for i in range(count)]
        make_split(folder, split, np.stack(faces), labels, shards=2)
    write_json(folder / "classes.json", ["happy", "sad"])
    return folder


class Run:
    """Processes that run stage train into one folder."""

    def __init__(self, folder: Path, arrays: Path) -> None:
        self.folder, self.arrays = folder, arrays

    @contextmanager
    def started(self, recipes, **environment: str) -> Iterator[list[subprocess.Popen[str]]]:
        """One process for each recipe; none outlives the block."""
        with socket.socket() as probe:  # a port that is free
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        running = []
        try:
            for number, recipe in enumerate(recipes):
                params = self.folder / f"{number}.yaml"
                write_json(params, {"train": asdict(recipe)})
                given = (address, str(len(recipes)), str(number))
                met = dict(zip(VARIABLES, given, strict=True)) if len(recipes) > 1 else {}
                command = [sys.executable, "-m", "stages.train", "--params", params]
                command += ["--arrays", self.arrays, "--out", self.folder / f"out-{number}"]
                command += ["--resume", self.folder / f"resume-{number}"]
                pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
                env = os.environ | CACHED | {CACHE: str(self.arrays.parent / "cache")} | met
                env |= environment
                running.append(subprocess.Popen(command, cwd=ROOT, env=env, **pipes))
            yield running
        finally:
            for process in running:
                process.kill()
                process.wait()

    def trained(self, recipes, **environment: str) -> list[str]:
        """What each process printed; all end well and without a word on stderr."""
        with self.started(recipes, **environment) as running:
            said = [process.communicate(timeout=PATIENCE) for process in running]
            assert [process.returncode for process in running] == [0] * len(recipes), said
        return [out for out, _ in said]

    def history(self):
        columns = {"epoch": int, "loss": float, "val_loss": float, "val_accuracy": float}
        return read_table(self.folder / "out-0/history.csv", columns | {"accuracy": float})


@pytest.fixture(scope="module")
def alone(arrays, tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("alone"), arrays)
    run.trained([ONE])
    return run


def assert_equal(run: Run, other: Run) -> None:
    """The same history and weights, but for what another order of sums changes."""
    found, expected = run.history(), other.history()
    assert found["epoch"].tolist() == expected["epoch"].tolist()
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(found[name], expected[name], rtol=LOSS)
    for name in ("accuracy", "val_accuracy"):
        np.testing.assert_allclose(found[name], expected[name], atol=0.03)  # one of 35 pictures
    models = [keras_file.load(each.folder / "out-0/model.keras") for each in (run, other)]
    for mine, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=WEIGHT * np.abs(theirs).max(), rtol=0)


def lose(run: Run, victim: int) -> None:
    """Two processes, of which one is killed after the first epoch; the other says so and ends."""
    with run.started([SHARED, SHARED]) as running:
        deadline = time.monotonic() + PATIENCE
        while not (run.folder / "out-0/history.csv").exists():
            assert time.monotonic() < deadline
            assert all(process.poll() is None for process in running)
            time.sleep(0.01)
        running[victim].send_signal(signal.SIGKILL)
        other = running[1 - victim]
        _, said = other.communicate(timeout=30)
    assert (other.returncode, said.count("\n")) == (1, 1), said
    assert said.startswith(
        "error: another process of this training did not come, or was lost; start"
    )


def test_two_devices_of_one_process_train_what_one_device_trains(alone, arrays, tmp_path):
    run = Run(tmp_path, arrays)
    run.trained([SHARED], XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert_equal(run, alone)


def test_two_processes_train_what_one_trains_although_one_was_lost(alone, arrays, tmp_path):
    run = Run(tmp_path, arrays)
    lose(run, 1)
    first, second = run.trained([SHARED, SHARED])
    assert "continuing an interrupted run after epoch" in first
    assert second == ""
    assert_equal(run, alone)
    assert {path.name for path in tmp_path.iterdir()} == {"0.yaml", "1.yaml", "out-0", "resume-0"}
    assert not list((tmp_path / "resume-0").iterdir())


def test_the_others_end_when_the_first_process_is_lost(arrays, tmp_path):
    lose(Run(tmp_path, arrays), 0)


def test_processes_with_other_recipes_do_not_train(arrays, tmp_path):
    run = Run(tmp_path, arrays)
    with run.started([SHARED, replace(SHARED, seed=1)]) as running:
        said = [process.communicate(timeout=PATIENCE)[1] for process in running]
    assert [process.returncode for process in running] == [1, 1]
    for text in said:
        assert text.startswith("error: process 1 of 2: expected the recipe, labels, code")
        assert text.count("\n") == 1
