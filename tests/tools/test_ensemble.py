from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facial_expression.core.errors import ModelError
from facial_expression.core.files import sha256_of
from facial_expression.network.backend import configure
from tests.clones import ROOT, environment
from tests.helpers import predicted
from tools import ensemble

PICTURES = np.random.default_rng(0).integers(0, 256, (9, 48, 48), np.uint8)


def network(path: Path, classes: int, seed: int) -> Path:
    """An untrained network, saved as stage train saves one."""
    configure("tensorflow", 2)
    import keras

    from facial_expression.network import keras_file
    from facial_expression.train import models

    keras.utils.set_random_seed(seed)
    keras_file.save(models.build("fast", 48, classes), path)
    return path


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("members")
    return [network(folder / f"{seed}.keras", 3, seed) for seed in (1, 2)]


def made(members: list[Path], out: Path, precision: str = "float32") -> Path:
    ensemble.make(members, precision, out)
    return out


def test_it_says_what_its_members_say_on_average(members, tmp_path):
    out = made(members, tmp_path / "teacher.keras")
    first, second = (predicted(member, PICTURES) for member in members)
    assert np.abs(first - second).max() > 0.01, "the members differ"
    np.testing.assert_allclose(predicted(out, PICTURES), (first + second) / 2, atol=1e-6)
    again = made(members, tmp_path / "again.keras")
    assert again.read_bytes() == out.read_bytes()


def test_the_command_makes_the_same_file_and_says_its_sha256(members, tmp_path):
    out = tmp_path / "teacher.keras"
    command = [sys.executable, "-m", "tools.ensemble", *map(str, members), "--out", str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment()
    )
    assert out.read_bytes() == made(members, tmp_path / "again.keras").read_bytes()
    assert sha256_of(out) in done.stdout


def test_half_the_precision_moves_it_a_little(members, tmp_path):
    whole = predicted(made(members, tmp_path / "whole.keras"), PICTURES)
    half = predicted(made(members, tmp_path / "half.keras", "mixed_bfloat16"), PICTURES)
    assert 0 < np.abs(half - whole).max() < 0.02
    np.testing.assert_allclose(half.sum(axis=1), 1, atol=1e-5)


def test_networks_of_other_classes_are_refused(members, tmp_path):
    other = network(tmp_path / "other.keras", 4, 3)
    with pytest.raises(ModelError, match=r"other.keras: expected .*\(None, 3\).* as .*1.keras"):
        made([*members, other], tmp_path / "teacher.keras")
    assert not (tmp_path / "teacher.keras").exists()
