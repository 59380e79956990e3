from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from facial_expression.core.arrays import Split
from facial_expression.network.recipe import Augmentation, Recipe, Teacher
from facial_expression.train import batches
from facial_expression.train.batches import Batch, batch_order, epoch_batches
from tests.train.recipes import PLAIN, RECIPE

LABELS = np.random.default_rng(0).choice(3, 70, p=[0.7, 0.25, 0.05])
IMAGES = np.random.default_rng(1).integers(0, 256, (70, 12, 12), dtype=np.uint8)
SPLIT = Split(IMAGES, LABELS, [f"{i}.jpg" for i in range(70)], np.ones(70, bool))
VARIED = Augmentation(
    flip="alternating",
    shift=2,
    scale=0.1,
    rotation=10,
    erasing=0.3,
    brightness=10,
    contrast=0.1,
    mixup=0.2,
)


def made(recipe: Recipe, epoch: int = 1, **options) -> list[Batch]:
    order = batch_order(recipe, LABELS, epoch)
    return list(epoch_batches(recipe, SPLIT, 3, epoch, order, **options))


@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 64), st.integers(1, 9))
def test_every_picture_comes_once_an_epoch_and_every_batch_is_full(seed, pictures, size, epoch):
    recipe = replace(RECIPE, seed=seed, batch_size=size)
    order = batch_order(recipe, np.zeros(pictures, np.int64), epoch)
    flat = np.concatenate(order)
    assert sorted(flat[:pictures]) == list(range(pictures))
    assert {len(batch) for batch in order} == {min(size, pictures)}
    assert len(flat) - pictures < min(size, pictures)


def test_epochs_have_different_orders():
    first, second = (np.concatenate(batch_order(RECIPE, LABELS, epoch)) for epoch in (1, 2))
    assert not np.array_equal(first, second)


def test_balanced_sampling_draws_every_class_equally_often():
    recipe = replace(RECIPE, sampling="balanced", batch_size=70)
    drawn = np.concatenate([batch_order(recipe, LABELS, epoch)[0] for epoch in range(1, 200)])
    shares = np.bincount(LABELS[drawn]) / len(drawn)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.02)


def test_balanced_class_weights_are_scikit_learns():
    labels = np.array([0, 0, 0, 1, 2, 2])
    weights = batches.class_weights(replace(RECIPE, class_weights="balanced"), labels, 3)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    np.testing.assert_array_equal(batches.class_weights(RECIPE, labels, 3), 1)


def test_a_plain_recipe_gives_pictures_and_one_hot_labels_as_they_are():
    order = batch_order(RECIPE, LABELS, 1)
    for batch, chosen in zip(made(RECIPE), order, strict=True):
        np.testing.assert_array_equal(batch.images[..., 0], IMAGES[chosen])
        np.testing.assert_array_equal(batch.targets, np.eye(3)[LABELS[chosen]])
        assert batch.weights is None
        assert batch.targets.dtype == np.float32


def test_label_smoothing_spreads_its_share_evenly():
    batch = made(replace(RECIPE, label_smoothing=0.3))[0]
    np.testing.assert_allclose(np.sort(batch.targets)[0], [0.1, 0.1, 0.8], rtol=1e-6)


def test_soft_targets_take_the_place_of_labels_and_are_smoothed_alike():
    soft = np.random.default_rng(2).dirichlet(np.ones(3), 70).astype(np.float32)
    order = batch_order(RECIPE, LABELS, 1)
    split = replace(SPLIT, targets=soft)
    plain = list(epoch_batches(RECIPE, split, 3, 1, order))
    smooth = list(epoch_batches(replace(RECIPE, label_smoothing=0.3), split, 3, 1, order))
    for one, other, chosen in zip(plain, smooth, order, strict=True):
        np.testing.assert_array_equal(one.targets, soft[chosen])
        np.testing.assert_allclose(other.targets, 0.7 * soft[chosen] + 0.1, rtol=1e-5)
        assert one.targets.dtype == other.targets.dtype == np.float32
    assert batches.resized(split, 6).targets is soft


def test_seed_epoch_and_step_determine_a_batch_whatever_came_before():
    recipe = replace(RECIPE, augmentation=VARIED)
    whole, again, other = made(recipe, 2), made(recipe, 2), made(recipe, 3)
    assert len(whole) == 5
    for one, two in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one.images, two.images)
        np.testing.assert_array_equal(one.targets, two.targets)
    assert not np.array_equal(whole[0].images, other[0].images)
    np.testing.assert_allclose(whole[0].targets.sum(axis=1), 1, rtol=1e-5)


def test_class_weights_follow_the_mixed_targets():
    recipe = replace(
        RECIPE, class_weights="balanced", augmentation=replace(PLAIN, mixup=1.0), batch_size=70
    )
    batch = made(recipe)[0]
    weights = batches.class_weights(recipe, LABELS, 3)
    assert batch.weights is not None
    np.testing.assert_allclose(batch.weights, batch.targets @ weights, rtol=1e-6)
    assert len(np.unique(batch.weights)) > 3


def test_a_teacher_sees_the_varied_pictures_and_takes_its_share():
    recipe = replace(
        RECIPE,
        augmentation=replace(PLAIN, flip="random"),
        teacher=Teacher(weights="t.keras", sha256="", share=0.75),
    )
    seen: list[np.ndarray] = []

    def teacher(images):
        seen.append(images)
        return np.full((len(images), 3), [0.2, 0.3, 0.5], np.float32)

    made_here = made(recipe, teacher=teacher)
    np.testing.assert_array_equal(seen[0], made_here[0].images[..., 0])
    one_hot = np.eye(3)[LABELS[batch_order(recipe, LABELS, 1)[0]]]
    expected = 0.25 * one_hot + 0.75 * np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(made_here[0].targets, expected, rtol=1e-6)


def test_ahead_keeps_the_order_and_works_in_another_thread():
    threads: set[int] = set()

    def square(value: int) -> int:
        threads.add(threading.get_ident())
        return value * value

    assert list(batches.ahead(square, range(20))) == [i * i for i in range(20)]
    assert threading.get_ident() not in threads


def test_an_error_in_the_second_thread_is_raised_where_its_result_is_wanted():
    def fails_at_three(value: int) -> int:
        if value == 3:
            raise ValueError("three")
        return value

    results = batches.ahead(fails_at_three, range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_shrinking_averages_areas():
    small = batches.resized(SPLIT, 6)
    means = IMAGES.reshape(70, 6, 2, 6, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(small.images, means, atol=1.01)  # Pillow rounds after each axis
    assert batches.resized(SPLIT, 12) is SPLIT
