from pathlib import Path

import keras
import numpy as np
import pytest

from facial_expression.core.errors import ModelError
from facial_expression.core.files import sha256_of
from facial_expression.network import backend, keras_file
from facial_expression.train import models
from tests.helpers import predicted
from tools import ensemble

PICTURES = np.random.default_rng(0).integers(0, 256, (9, 48, 48), np.uint8)


def network(path: Path, classes: int, seed: int) -> Path:
    """An untrained network, saved as stage train saves one."""
    keras.utils.set_random_seed(seed)
    keras_file.save(models.build("fast", 48, classes), path)
    return path


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("members")
    return [network(folder / f"{seed}.keras", 3, seed) for seed in (1, 2)]


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-6), ("mixed_bfloat16", 0.02)])
def test_it_says_what_its_members_say_on_average(
    precision, near, members, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(backend, "configure", lambda *_: None)  # Keras runs already
    for name in ("teacher.keras", "again.keras"):
        out = tmp_path / name
        ensemble.main([*map(str, members), "--precision", precision, "--out", str(out)])
        assert sha256_of(out) in capsys.readouterr().out
    assert (tmp_path / "teacher.keras").read_bytes() == out.read_bytes()
    first, second = (predicted(member, PICTURES) for member in members)
    assert np.abs(first - second).max() > 0.02, "the members differ"
    found = predicted(out, PICTURES)
    np.testing.assert_allclose(found, (first + second) / 2, atol=near)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_networks_of_other_classes_are_refused(members, tmp_path):
    other, out = network(tmp_path / "other.keras", 4, 3), tmp_path / "teacher.keras"
    with pytest.raises(ModelError, match=r"other.keras: expected .*\(None, 3\).* as .*1.keras"):
        ensemble.make([*members, other], "float32", out)
    assert not out.exists()


def test_a_network_without_a_softmax_is_refused(members, tmp_path):
    pictures = keras.Input((48, 48, 1))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pictures))
    keras_file.save(keras.Model(pictures, keras.layers.Dense(3)(flat)), tmp_path / "logits.keras")
    with pytest.raises(ModelError, match=r"logits\.keras: .*softmax"):
        ensemble.make([*members, tmp_path / "logits.keras"], "float32", tmp_path / "out.keras")
