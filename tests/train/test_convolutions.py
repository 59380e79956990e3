import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from facial_expression.train.convolutions import convolution, speed_up


def gradients(operation, maps, kernel, weights):
    with tf.GradientTape() as tape:
        tape.watch([maps, kernel])
        made = operation(maps, kernel)
        total = tf.reduce_sum(made * weights)
    return [made, *tape.gradient(total, [maps, kernel])]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("side", "size"), [(3, 3), (6, 3), (7, 5), (4, 1)])
def test_the_gradients_are_those_of_tensorflow(padding, side, size):
    rng = np.random.default_rng(side)
    maps, kernel = rng.normal(size=(5, side, side, 4)), rng.normal(size=(size, size, 4, 6))
    maps, kernel = tf.constant(maps), tf.constant(kernel)
    plain = lambda maps, kernel: tf.nn.conv2d(maps, kernel, 1, padding)  # noqa: E731
    weights = tf.constant(rng.normal(size=plain(maps, kernel).shape))
    wanted = gradients(plain, maps, kernel, weights)
    found = gradients(tf.function(convolution(padding)), maps, kernel, weights)
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_small_maps_of_a_network_in_bfloat16_are_sped_up_and_saved_as_plain_layers():
    pictures = keras.Input((16, 16, 1))
    x = layers.Conv2D(4, 3, padding="same", dtype="mixed_bfloat16", name="large")(pictures)
    x = layers.MaxPooling2D(2, dtype="mixed_bfloat16")(x)
    x = layers.Conv2D(5, 3, padding="same", dtype="mixed_bfloat16", name="small")(x)
    x = layers.Conv2D(5, 3, strides=2, dtype="mixed_bfloat16", name="strided")(x)
    model = keras.Model(pictures, layers.Conv2D(2, 3, name="exact")(x))
    batch = np.random.default_rng(0).normal(size=(3, 16, 16, 1)).astype(np.float32)

    def kernels() -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model(batch, training=True) ** 2)
        return [np.asarray(grad) for grad in tape.gradient(total, model.trainable_variables)]

    before, config, out = kernels(), model.get_config(), np.asarray(model(batch))
    speed_up(model)
    for one, other in zip(before, kernels(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=0.02 * np.abs(one).max())
    assert "convolution_op" in vars(model.get_layer("small"))
    assert not any(
        "convolution_op" in vars(model.get_layer(n)) for n in ("large", "strided", "exact")
    )
    np.testing.assert_array_equal(out, model(batch))
    assert model.get_config() == config
