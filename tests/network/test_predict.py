from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage
from scipy.special import log_softmax

from facial_expression.network.predict import (
    averaged_predictions,
    log_loss_and_accuracy,
    predicted,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A dense layer with large weights: decided, and not symmetric left to right."""
    keras.utils.set_random_seed(1)
    pictures = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(pictures))
    kernel = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    return keras.Model(pictures, layers.Dense(3, "softmax", kernel_initializer=kernel)(x))


def direct(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(model(images[..., None]))


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100])
def test_every_picture_is_predicted_whatever_the_batch(model, batch_size):
    found = predicted(model, IMAGES, batch_size)
    assert (found.shape, found.dtype) == ((12, 3), np.float32)
    np.testing.assert_allclose(found, direct(model, IMAGES), atol=1e-6)


def test_flip_is_the_mean_over_both_mirror_images(model):
    both = (direct(model, IMAGES) + direct(model, IMAGES[:, :, ::-1])) / 2
    found = averaged_predictions(model, IMAGES, 5)["flip"]
    np.testing.assert_allclose(found, both, atol=1e-6)
    assert found.dtype == np.float64
    assert np.abs(found - direct(model, IMAGES)).max() > 0.1


def test_views_are_eighteen_moved_pictures(model):
    parts = [
        direct(model, ndimage.shift(images, (0, down, right), order=0, mode="nearest"))
        for images in (IMAGES, IMAGES[:, :, ::-1])
        for down in (-3, 0, 3)
        for right in (-3, 0, 3)
    ]
    found = averaged_predictions(model, IMAGES, 5)["views"]
    np.testing.assert_allclose(found, np.mean(parts, axis=0), atol=1e-6)


def test_loss_and_accuracy_are_what_scipy_says():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 50, (200, 4)).astype(np.float32)
    labels = rng.integers(0, 4, 200)
    loss, accuracy = log_loss_and_accuracy(logits, labels)
    expected = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(200), labels].mean()
    assert loss == pytest.approx(expected)
    assert accuracy == (logits.argmax(axis=1) == labels).mean()
