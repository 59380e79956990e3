from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from facial_expression.network.recipe import Optimizer
from facial_expression.train.optimizers import create, slow_down

SETTINGS = Optimizer(name="adamw", learning_rate=0.1, weight_decay=0, adam_rate=1)


def step(settings: Optimizer, gradient: float) -> dict[str, np.ndarray]:
    """How one step with the same gradient everywhere changes variables that are all one."""
    keras.utils.clear_session()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="c"),
            layers.DepthwiseConv2D(3, use_bias=False, name="d"),
            layers.Conv2D(2, 3, use_bias=False, name="e"),  # for Muon
            layers.BatchNormalization(name="n"),
        ]
    )
    for variable in model.trainable_variables:
        variable.assign(keras.ops.ones_like(variable))
    optimizer = create(settings)
    optimizer.build(model.trainable_variables)
    gradients = [keras.ops.full(v.shape, gradient) for v in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    names = ["/".join(v.path.split("/")[-2:]) for v in model.trainable_variables]
    changes = [np.asarray(v) - 1 for v in model.trainable_variables]
    return dict(zip(names, changes, strict=True))


@pytest.mark.parametrize("name", ["adam", "adamw", "muon"])
@pytest.mark.parametrize("decay", [0, 0.2])
def test_only_kernels_decay_in_proportion_to_the_rate(name, decay):
    changes = step(replace(SETTINGS, name=name, weight_decay=decay), 0.0)
    for layer in "cde":
        np.testing.assert_allclose(changes.pop(f"{layer}/kernel"), -0.1 * decay, rtol=1e-5)
    assert set(changes) == {"c/bias", "n/gamma", "n/beta"}
    assert not any(change.any() for change in changes.values())


def test_muon_leaves_kernels_of_one_channel_or_filter_to_adam():
    changes = step(replace(SETTINGS, name="muon"), 1.0)
    for layer in "cd":
        np.testing.assert_allclose(changes[f"{layer}/kernel"], -0.1, rtol=1e-4)
    assert np.abs(changes["e/kernel"] + 0.1).min() > 0.01


def orthogonalised(matrix: np.ndarray, iterations: int) -> np.ndarray:
    """Jordan's quintic Newton-Schulz iteration, in float64."""
    x = matrix / np.linalg.norm(matrix)
    for _ in range(iterations):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


def test_muon_steps_along_the_orthogonalised_momentum():
    rng = np.random.default_rng(0)
    keras.utils.clear_session()
    convolution = layers.Conv2D(6, 3, use_bias=False)
    convolution.build((None, 8, 8, 4))
    kernel = convolution.kernel
    kernel.assign(keras.ops.zeros_like(kernel))
    optimizer = create(replace(SETTINGS, name="muon"))
    optimizer.build([kernel])
    momentum, expected = np.zeros((2, *kernel.shape))
    for _ in range(3):
        gradient = rng.normal(size=kernel.shape)
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [kernel])
        momentum = 0.9 * momentum + gradient
        matrix = (gradient + 0.9 * momentum).reshape(36, 6)
        update = orthogonalised(matrix.T, 3).T  # the wide side is the long one
        expected -= 0.1 * 0.2 * 6 * update.reshape(kernel.shape)  # 0.2 * sqrt(max(36, 6))
    np.testing.assert_allclose(np.asarray(kernel), expected, atol=1e-5)
    values = np.linalg.svd(orthogonalised(matrix.T, 3), compute_uv=False)
    assert values.max() < 1.3
    assert values.min() > 0.3  # near one, whatever those of the gradient were


def test_adam_trains_the_rest_at_its_own_rate():
    plain = step(replace(SETTINGS, name="adam"), 0.5)
    slow = step(replace(SETTINGS, name="muon", adam_rate=0.25), 0.5)
    for path in ("c/bias", "n/gamma", "n/beta", "c/kernel"):  # the kernel reads one channel
        np.testing.assert_allclose(slow[path], 0.25 * plain[path], rtol=1e-4)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_early_layers_learn_at_lower_rates(name):
    keras.utils.clear_session()
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        *(layers.Conv2D(4, 3, name="a"), layers.BatchNormalization(name="n")),
        *(layers.Conv2D(4, 3, name="b"), layers.Flatten(), layers.Dense(3, name="c")),
    ])  # fmt: skip
    moved = []
    for factor in (1, 0.5):
        optimizer = create(replace(SETTINGS, name=name))
        slow_down(optimizer, model, factor)
        for variable in model.trainable_variables:
            variable.assign(keras.ops.ones_like(variable))
        optimizer.build(model.trainable_variables)
        gradients = [keras.ops.ones_like(v) for v in model.trainable_variables]
        optimizer.apply(gradients, model.trainable_variables)
        moved.append({v.path: np.asarray(v) - 1 for v in model.trainable_variables})
    for path, change in moved[1].items():
        rate = {"a": 0.25, "n": 0.25, "b": 0.5, "c": 1}[path.split("/")[-2]]
        np.testing.assert_allclose(change, rate * moved[0][path], rtol=1e-4)
        assert change.all()
