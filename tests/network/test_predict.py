import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage
from scipy.special import softmax

from facial_expression.network.predict import averaged_predictions, predicted, predicted_logits
from facial_expression.train import models

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


def test_logits_are_those_of_the_softmax_also_where_it_is_no_layer(model):
    layered = models.build("small", 48, 3)
    pictures = np.random.default_rng(1).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    for network, images in ((model, IMAGES), (layered, pictures)):
        logits = predicted_logits(network, images, 4)
        assert logits.dtype == np.float64
        np.testing.assert_allclose(softmax(logits, axis=1), direct(network, images), atol=1e-6)
