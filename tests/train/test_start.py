import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from scipy.ndimage import gaussian_filter

from facial_expression.core.errors import ModelError
from facial_expression.train import models
from facial_expression.train.start import FLOOR, adopt, identity, initialise, whitening

NOISE = np.random.default_rng(0).normal(0, 1, (300, 24, 24))
SMOOTH = gaussian_filter(NOISE, (0, 1.5, 1.5))
IMAGES = np.clip(128 + SMOOTH * 250, 0, 255).astype(np.uint8)


def test_whitening_whitens():
    kernel, bias = whitening(IMAGES, 3, 4)
    np.testing.assert_array_equal(whitening(IMAGES, 3, 4)[0], kernel, "it depends on chance")
    convolution = layers.Conv2D(8, 3)
    convolution.build((None, 24, 24, 1))
    convolution.set_weights([kernel, bias])
    out = np.asarray(convolution(IMAGES[..., None] / np.float32(255))).reshape(-1, 8)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=0.05)
    covariance = np.cov(out[:, :4], rowvar=False)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=0.05)
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES / 255, (3, 3), axis=(1, 2))
    patches = windows.reshape(-1, 9)
    strengths = np.linalg.svd(patches - patches.mean(axis=0), compute_uv=False)[:4] ** 2
    strengths /= len(patches) - 1
    # one, but for FLOOR, which makes faint components fainter
    np.testing.assert_allclose(np.diag(covariance), strengths / (strengths + FLOOR), rtol=0.05)
    np.testing.assert_allclose(out[:, :4], -out[:, 4:], atol=1e-5)


def test_flat_pictures_give_finite_filters():
    for values in whitening(np.full((9, 8, 8), 7, np.uint8), 5, 6):
        assert np.isfinite(values).all()


@settings(max_examples=25)
@given(st.sampled_from([1, 3, 5]), st.integers(1, 5), st.integers(1, 9))
def test_the_identity_is_an_identity(size, channels, filters):
    rng = np.random.default_rng(size)
    kernel = rng.normal(size=(size, size, channels, filters)).astype(np.float32)
    before = kernel.copy()
    convolution = layers.Conv2D(filters, size, padding="same", use_bias=False)
    convolution.build((None, 6, 6, channels))
    convolution.set_weights([identity(kernel)])
    x = rng.normal(size=(2, 6, 6, channels)).astype(np.float32)
    copied = min(channels, filters)
    np.testing.assert_allclose(np.asarray(convolution(x))[..., :copied], x[..., :copied], rtol=1e-6)
    np.testing.assert_array_equal(identity(kernel)[..., copied:], before[..., copied:])
    np.testing.assert_array_equal(kernel, before)


def test_layers_say_by_their_names_how_they_start():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((24, 24, 1))
    for name in ("whitening", "identity_1", "other"):
        x = layers.Conv2D(8, 3, padding="same", name=name)(x)
    model = keras.Model(inputs, x)
    before = [layer.get_weights() for layer in model.layers[1:]]
    initialise(model, IMAGES)
    first, second, third = (layer.get_weights() for layer in model.layers[1:])
    np.testing.assert_array_equal(first[0], whitening(IMAGES, 3, 4)[0])
    np.testing.assert_array_equal(second[0], identity(before[1][0]))
    np.testing.assert_array_equal(third[0], before[2][0])


def trained(classes: int) -> keras.Model:
    keras.utils.set_random_seed(classes)
    return models.build("small", 48, classes)


@pytest.mark.parametrize(
    ("classes", "side", "same"), [(3, 48, True), (3, 64, False), (7, 48, False)]
)
def test_a_network_starts_from_anothers_weights_but_other_classes_get_a_new_head(
    classes, side, same
):
    source, model = trained(classes), models.build("small", side, 3)
    expected = source.get_weights()
    if not same:
        expected[-2:] = model.get_layer("logits").get_weights()
    adopt(model, source, "m.keras", same)
    for mine, wanted in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize(("name", "side"), [("seed", 48), ("small", 64)])
def test_another_network_is_refused(name, side):
    said = rf"m\.keras: expected weights of the network '{name}' .* found 'small' .*other layers"
    with pytest.raises(ModelError, match=said):
        adopt(models.build(name, side, 7), trained(7), "m.keras", same_classes=True)
