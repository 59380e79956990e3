from collections import Counter

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops
from scipy import ndimage

from facial_expression.core.errors import ModelError
from facial_expression.evaluate.saliency import (
    choose_predictions,
    grad_cam,
    gradient,
    last_feature_map,
)
from facial_expression.train import models

SIDE = 32
CELLS = {"seed": 2, "small": 6, "fast": 3, "best": 3, "slim": 3}
"""Cells a side of the last feature map, of pictures of side 48."""


def noise(side: int, count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side), dtype=np.uint8)


def stripes(labels: np.ndarray, places: np.ndarray, seed: int) -> np.ndarray:
    """Noise with stripes in some quarters: uint8 (N, SIDE, SIDE).

    `labels` and `places` are (N, patches): stripes lie (0) or stand (1), in quarter 0 to 3.
    """
    images = np.random.default_rng(seed).integers(60, 160, (len(labels), SIDE, SIDE), np.uint8)
    bars = np.tile(np.array([[20], [20], [230], [230]], np.uint8), (3, 12))  # 12x12
    for image, kinds, quarters in zip(images, labels, places, strict=True):
        for kind, quarter in zip(kinds, quarters, strict=True):
            top, left = 2 + 16 * (quarter // 2), 2 + 16 * (quarter % 2)
            image[top : top + 12, left : left + 12] = bars.T if kind else bars
    return images


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    """A network that tells lying from standing stripes; its feature map is 4x4."""

    def one_patch(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 64)
        return stripes(labels[:, None], rng.integers(0, 4, (64, 1)), seed), labels

    keras.utils.set_random_seed(0)
    model = models.build("small", SIDE, 2)
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    for step in range(60):
        images, labels = one_patch(step)
        model.train_on_batch(images[..., None], labels)
    images, labels = one_patch(100)
    assert (model.predict_on_batch(images[..., None]).argmax(axis=1) == labels).mean() > 0.95
    return model


def resized(values: np.ndarray, side: int) -> np.ndarray:
    """Bilinear by SciPy, pixels as areas, edges repeated; another implementation than Pillow's."""
    steps = (np.arange(side) + 0.5) * len(values) / side - 0.5
    return ndimage.map_coordinates(
        values, np.meshgrid(steps, steps, indexing="ij"), order=1, mode="nearest"
    )


@pytest.mark.parametrize(("name", "side"), [("seed", 48), ("slim", 32)])
def test_maps_are_between_0_and_1_and_the_same_again(name, side):
    keras.utils.set_random_seed(0)
    model, images, labels = models.build(name, side, 3), noise(side, 3), np.array([0, 2, 1])
    maps = grad_cam(model, images, labels, batch_size=2)
    assert (maps.shape, maps.dtype) == ((3, side, side), np.float32)
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    np.testing.assert_array_equal(grad_cam(model, images, labels, batch_size=2), maps)
    one = np.concatenate([grad_cam(model, images[[i]], labels[[i]]) for i in range(3)])
    np.testing.assert_allclose(one, maps, atol=1e-3, err_msg="a picture depends on its batch")


@pytest.mark.parametrize(("name", "cells"), CELLS.items())
def test_the_feature_map_is_what_comes_before_pooling_and_flattening(name, cells):
    assert last_feature_map(models.build(name, 48, 7)).shape[1:3] == (cells, cells)


@pytest.mark.parametrize(("name", "side"), [("fast", 48), ("best", 32)])
def test_with_a_mean_and_a_dense_layer_it_is_the_class_activation_map(name, side):
    """Zhou et al. 2016, arXiv:1512.04150: the map is linear in the head's own weights."""
    keras.utils.set_random_seed(0)
    model, images, labels = models.build(name, side, 3), noise(side, 6), np.arange(6) % 3
    (mean,) = (x for x in model.layers if isinstance(x, layers.GlobalAveragePooling2D))
    values = np.asarray(keras.Model(model.input, mean.input)(images[..., None]))
    kernel, _ = model.get_layer("logits").get_weights()
    expected = np.zeros(images.shape)
    for place, label in enumerate(labels):
        large = resized(np.maximum(values[place] @ kernel[:, label], 0), side)
        expected[place] = large / large.max() if large.max() else large
    assert 0 < np.count_nonzero(expected) < expected.size
    np.testing.assert_allclose(grad_cam(model, images, labels), expected, atol=1e-4)


@pytest.mark.parametrize("label", [0, 1])
def test_the_evidence_for_a_class_stands_where_its_pattern_is(trained, label):
    rng = np.random.default_rng(7)
    places = np.array([rng.permutation(4)[:2] for _ in range(40)])  # (N, lying and standing)
    images = stripes(np.tile([0, 1], (40, 1)), places, 8)
    maps = grad_cam(trained, images, np.full(40, label))
    half = SIDE // 2
    quarters = maps.reshape(-1, 2, half, 2, half).mean(axis=(2, 4)).reshape(-1, 4)
    assert (quarters.argmax(axis=1) == places[:, label]).mean() > 0.9


def test_a_map_without_evidence_is_zero():
    pictures = keras.Input((8, 8, 1), dtype="uint8")
    mean = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(pictures))
    against = layers.Dense(2, kernel_initializer=keras.initializers.Constant(-1))(mean)
    model = keras.Model(pictures, layers.Softmax()(against))
    assert not grad_cam(model, np.full((1, 8, 8), 9, np.uint8), np.array([0])).any()


def test_a_network_without_a_feature_map_is_refused():
    pictures = keras.Input((8, 8, 1), dtype="uint8")
    model = keras.Model(pictures, layers.Dense(2)(layers.Flatten()(pictures)), name="flat")
    with pytest.raises(ModelError, match="found none in 'flat'"):
        grad_cam(model, np.zeros((1, 8, 8), np.uint8), np.array([0]))


def test_the_gradient_is_that_of_calculus():
    at = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    found = gradient(lambda x: ops.sum(ops.sin(x) * x), at)
    np.testing.assert_allclose(found, np.cos(at) * at + np.sin(at), atol=1e-6)
    assert found.dtype == np.float32


CASES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40)


@given(CASES, st.integers(1, 4), st.integers(0, 9))
def test_the_choice_is_of_every_class_and_kind_in_that_order(cases, per_class, seed):
    actual, predicted = np.array(cases, np.int64).reshape(-1, 2).T
    rows = choose_predictions(actual, predicted, 3, per_class, seed)
    assert len(set(rows.tolist())) == len(rows)
    order = [(cases[row][0], int(cases[row][0] != cases[row][1]), row) for row in rows]
    assert order == sorted(order)
    there = Counter((case[0], int(case[0] != case[1])) for case in cases)
    found = Counter(item[:2] for item in order)
    assert found == {key: min(number, per_class) for key, number in there.items()}
    again = choose_predictions(actual, predicted, 3, per_class, seed)
    np.testing.assert_array_equal(again, rows)
