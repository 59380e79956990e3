from __future__ import annotations

import keras
import numpy as np
import pytest

from facial_expression.core.errors import ModelError
from facial_expression.network import keras_file
from facial_expression.train import models

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), dtype=np.uint8)


def trained(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = models.build("small", 48, 3)
    model.compile("adam", "categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


def test_equal_models_are_equal_bytes_and_others_are_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        keras_file.save(trained(seed), tmp_path / f"{name}.keras")
    a, b, c = ((tmp_path / f"{name}.keras").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_saved_model_predicts_the_same_and_carries_no_optimizer(tmp_path):
    model = trained()
    keras_file.save(model, tmp_path / "model.keras")
    loaded = keras_file.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(PICTURES, verbose=0), model.predict(PICTURES, verbose=0)
    )
    weights = sum(int(np.prod(variable.shape)) for variable in model.weights) * 4
    assert (tmp_path / "model.keras").stat().st_size < weights * 1.5  # Adam's slots would triple it
    assert not loaded.compiled


def test_half_precision_halves_the_file_and_hardly_moves_the_predictions(tmp_path):
    model = trained()
    for path, half in (("whole", False), ("half", True), ("again", True)):
        keras_file.save(model, tmp_path / f"{path}.keras", half=half)
    whole, half, again = (tmp_path / f"{name}.keras" for name in ("whole", "half", "again"))
    assert half.read_bytes() == again.read_bytes()
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    loaded = keras_file.load(half)
    for variable, before in zip(loaded.weights, model.weights, strict=True):
        exact = before.numpy()
        rounded = exact.astype(np.float16).astype(np.float32) if exact.ndim > 1 else exact
        np.testing.assert_array_equal(variable.numpy(), rounded)
        assert variable.dtype == before.dtype
    np.testing.assert_allclose(loaded(PICTURES), model(PICTURES), atol=2e-3)


@pytest.mark.parametrize("content", [None, b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"expected a Keras 3 model.*train stage") as error:
        keras_file.load(path)
    assert "\n" not in str(error.value)
