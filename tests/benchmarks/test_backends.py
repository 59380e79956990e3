from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmarks import backends
from facial_expression.core.arrays import write_array, write_rows
from facial_expression.network.backend import configure


@pytest.mark.parametrize(
    ("value", "said", "code"),
    [(9e-5, "9.0e-05", 0), (2e-4, "2.0e-04", 1), (float("nan"), "nan", 1)],
)
def test_a_difference_beyond_the_tolerance_fails(monkeypatch, capsys, value, said, code):
    found = iter([0.5, 0.5 + value])

    def outputs(*_: object) -> backends.Outputs:
        return {"probabilities": np.array([[next(found), 0.5]]), "maps": np.zeros((1, 4, 4))}

    monkeypatch.setattr(backends, "in_a_process", outputs)
    with pytest.raises(SystemExit) as ended:
        backends.main(["model.keras", "arrays", "--backends", "tensorflow", "tensorflow"])
    assert ended.value.code == code
    printed = capsys.readouterr().out
    assert f"probabilities: largest difference {said}" in printed
    assert ("MISSED" in printed) == bool(code)


@pytest.mark.extra
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_tensorflow_and_jax_agree_on_one_file(tmp_path: Path, capsys):
    configure("tensorflow", 2)
    import keras

    from facial_expression.network import keras_file
    from facial_expression.train import models

    keras.utils.set_random_seed(0)
    keras_file.save(models.build("compact", 48, 3), tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (9, 48, 48), dtype=np.uint8)
    write_array(tmp_path / "val" / "images-000.npy", images)
    write_array(tmp_path / "val" / "labels-000.npy", np.arange(9) % 3)
    write_rows(tmp_path, "val", [(row, f"{row}.png", True) for row in range(9)])
    with pytest.raises(SystemExit) as ended:
        backends.main([str(tmp_path / "model.keras"), str(tmp_path), "--batch=4"])
    assert ended.value.code == 0, capsys.readouterr().out
