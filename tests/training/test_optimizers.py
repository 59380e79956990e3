from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from facial_expression.training.optimizers import create
from facial_expression.training.recipe import Optimizer

SETTINGS = Optimizer(
    name="sgd", learning_rate=0.1, momentum=0, weight_decay=0, bias_rate=1, adam_rate=1
)
KINDS = ("adam", "adamw", "sgd")


def step(settings: Optimizer, gradient: float) -> dict[str, np.ndarray]:
    """How one step with the same gradient everywhere changes variables that are all one."""
    keras.utils.clear_session()
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 3, name="c"), layers.BatchNormalization(name="n")]
    )
    for variable in model.trainable_variables:
        variable.assign(keras.ops.ones_like(variable))
    optimizer = create(settings, "float32")
    optimizer.build(model.trainable_variables)
    gradients = [keras.ops.full(v.shape, gradient) for v in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    names = ["/".join(v.path.split("/")[-2:]) for v in model.trainable_variables]
    changes = [np.asarray(v) - 1 for v in model.trainable_variables]
    return dict(zip(names, changes, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_offsets_learn_at_their_own_rate(name):
    plain = step(replace(SETTINGS, name=name), 0.5)
    faster = step(replace(SETTINGS, name=name, bias_rate=8), 0.5)
    assert set(plain) == {"c/kernel", "c/bias", "n/gamma", "n/beta"}
    for path, change in plain.items():
        factor = 8 if path in ("c/bias", "n/beta") else 1
        np.testing.assert_allclose(faster[path], factor * change, rtol=1e-5)
        assert (change < 0).all()


@pytest.mark.parametrize("name", KINDS)
def test_only_kernels_decay_and_in_step_with_the_rate(name):
    changes = step(replace(SETTINGS, name=name, weight_decay=0.2), 0.0)
    np.testing.assert_allclose(changes.pop("c/kernel"), -0.1 * 0.2, rtol=1e-5)
    for change in changes.values():
        np.testing.assert_array_equal(change, 0)


def test_momentum_is_nesterovs():
    changes = step(replace(SETTINGS, momentum=0.9), 0.5)
    # velocity -0.1 * 0.5, and the step looks ahead along it: 0.9 * velocity - 0.1 * 0.5
    np.testing.assert_allclose(changes["c/kernel"], 0.9 * -0.05 - 0.05, rtol=1e-5)


def test_adamw_without_decay_decays_nothing():
    changes = step(replace(SETTINGS, name="adamw"), 0.0)
    np.testing.assert_array_equal(changes["c/kernel"], 0)
