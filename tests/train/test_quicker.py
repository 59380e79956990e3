from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from facial_expression.train.quicker import (
    activation,
    convolution,
    halving,
    normalisation,
    pointwise,
    speed_up,
)


def gradients(operation, weights, *inputs):
    """What an operation makes of its inputs, and the gradients of a weighted sum of it."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        made = operation(*inputs)
        total = tf.reduce_sum(made * weights)
    return [made, *tape.gradient(total, inputs)]


@pytest.mark.parametrize(
    ("quick", "padding", "side", "size"),
    [
        *(
            (convolution(padding), padding, side, size)
            for padding in ("SAME", "VALID")
            for side, size in ((3, 3), (6, 3), (7, 5), (4, 1))
        ),
        (pointwise(), "VALID", 5, 1),
    ],
)
def test_a_convolution_and_its_gradients_are_those_of_tensorflow(quick, padding, side, size):
    rng = np.random.default_rng(side)
    maps, kernel = rng.normal(size=(5, side, side, 4)), rng.normal(size=(size, size, 4, 6))
    inputs = tf.constant(maps), tf.constant(kernel)

    def plain(maps, kernel):
        return tf.nn.conv2d(maps, kernel, 1, padding)

    weights = tf.constant(rng.normal(size=plain(*inputs).shape))
    wanted = gradients(plain, weights, *inputs)
    found = gradients(tf.function(quick), weights, *inputs)
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("side", "size"), [(8, 3), (9, 3), (7, 2), (8, 5), (4, 4)])
def test_a_depthwise_convolution_and_its_gradients_are_those_of_tensorflow(side, size):
    rng = np.random.default_rng(side)
    shape = (3, side, side + 1, 4)
    inputs = [tf.constant(rng.normal(size=each)) for each in (shape, (size, size, 4, 1))]

    def plain(maps, kernel):
        return tf.nn.depthwise_conv2d(maps, kernel, [1, 2, 2, 1], "VALID")

    def quick(maps, kernel):
        return halving(SimpleNamespace(kernel=kernel))(maps)

    weights = tf.constant(rng.normal(size=plain(*inputs).shape))
    wanted = gradients(plain, weights, *inputs)
    found = gradients(tf.function(quick), weights, *inputs)
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_a_normalisation_its_gradients_and_statistics_are_those_of_keras():
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(2, 3, (5, 3, 4, 6)).astype(np.float32))
    weights = tf.constant(rng.normal(size=inputs.shape).astype(np.float32))
    layer = layers.BatchNormalization(momentum=0.9)
    layer.build(inputs.shape)
    layer.gamma.assign(rng.uniform(0.5, 2, 6))
    layer.beta.assign(rng.normal(size=6))
    statistics = [layer.moving_mean, layer.moving_variance]
    results = []
    for call in (layer.call, normalisation(layer)):
        for moving in statistics:
            moving.assign(np.full(6, 0.5))
        made = gradients(lambda maps, call=call: call(maps, training=True), weights, inputs)
        results.append([*made, *map(np.array, statistics)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    kept = normalisation(layer)(inputs, training=False)
    np.testing.assert_array_equal(kept, layer(inputs, training=False))


def test_an_activation_and_its_gradients_are_those_of_keras():
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(5, 3, 4, 6)).astype(np.float32))
    weights = tf.constant(rng.normal(size=inputs.shape).astype(np.float32))
    layer = layers.PReLU(shared_axes=[1, 2])
    layer.build(inputs.shape)
    results = []
    for call in (layer.call, activation(layer)):
        slopes = tf.constant(np.linspace(-0.5, 2, 6, dtype=np.float32)[None, None])

        def made(maps, slopes, call=call):
            with keras.StatelessScope(state_mapping=[(layer.alpha, slopes)]):
                return call(maps)

        results.append(gradients(made, weights, inputs, slopes))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "quicker", "relative", "absolute"),
    [
        ("mixed_bfloat16", {"normal", "sloped", "small", "pointwise", "halved"}, 0.03, 0),
        ("float32", {"normal", "sloped"}, 1e-4, 1e-6),  # a bias before normalisation has none
    ],
)
def test_a_network_learns_the_same_and_is_saved_with_plain_layers(
    precision, quicker, relative, absolute
):
    keras.config.set_dtype_policy(precision)
    try:
        pictures = keras.Input((16, 16, 1))
        x = layers.Conv2D(4, 3, padding="same", name="large")(pictures)
        x = layers.BatchNormalization(name="normal")(layers.MaxPooling2D(2)(x))
        x = layers.PReLU(shared_axes=[1, 2], name="sloped")(x)
        x = layers.DepthwiseConv2D(3, padding="same", name="apart")(x)
        x = layers.DepthwiseConv2D(2, 2, use_bias=False, name="halved")(x)
        x = layers.Conv2D(80, 3, padding="same", name="medium")(x)
        x = layers.Conv2D(32, 3, padding="same", name="small")(layers.MaxPooling2D(2)(x))
        x = layers.Conv2D(32, 2, strides=2, name="strided")(x)
        x = layers.Conv2D(640, 1, name="pointwise")(x)
        x = layers.Conv2D(2, 1, name="frozen", trainable=False)(x)
        model = keras.Model(pictures, layers.Dense(2, dtype="float32", name="exact")(x))
    finally:
        keras.config.set_dtype_policy("float32")
    batch = np.random.default_rng(0).normal(size=(3, 16, 16, 1)).astype(np.float32)

    def learnt() -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model(batch, training=True) ** 2)
        return [np.asarray(grad) for grad in tape.gradient(total, model.trainable_variables)]

    before, config, out = learnt(), model.get_config(), np.asarray(model(batch))
    start = [np.array(variable) for variable in model.non_trainable_variables]
    speed_up(model)
    np.testing.assert_array_equal(out, model(batch))
    for one, other in zip(before, learnt(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=relative * np.abs(one).max() + absolute)
    assert any(
        np.any(one != np.array(other))
        for one, other in zip(start, model.non_trainable_variables, strict=True)
    )
    changed = {layer.name for layer in model.layers if {"call", "convolution_op"} & {*vars(layer)}}
    assert changed == quicker
    assert model.get_config() == config
