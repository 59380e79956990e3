from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.core.arrays import Split
from facial_expression.core.errors import ParameterError
from facial_expression.core.params import checked
from facial_expression.network.devices import Devices
from facial_expression.network.recipe import Recipe, Teacher
from facial_expression.train.batches import Batch, batch_order, epoch_batches
from tests.train.recipes import PLAIN, RECIPE

LABELS = np.random.default_rng(0).choice(3, 70, p=[0.7, 0.25, 0.05])
IMAGES = np.random.default_rng(1).integers(0, 256, (70, 12, 12), dtype=np.uint8)
SOFT = np.random.default_rng(2).dirichlet(np.ones(3), 70).astype(np.float32)
SPLIT = Split(IMAGES, LABELS, [""] * 70, np.ones(70, bool))
VARIED = replace(PLAIN, flip="alternating", shift=2, rotation=10, erasing=0.3, mixup=0.2)


def made(recipe: Recipe, epoch: int = 1, split: Split = SPLIT, **options) -> list[Batch]:
    order = batch_order(recipe, len(split), epoch)
    return list(epoch_batches(recipe, split, 3, epoch, order, **options))


@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(1, 64), st.integers(1, 9))
def test_every_picture_comes_once_an_epoch_and_every_batch_is_full(seed, pictures, size, epoch):
    recipe = replace(RECIPE, seed=seed, batch_size=size)
    order = batch_order(recipe, pictures, epoch)
    flat = np.concatenate(order)
    assert sorted(flat[:pictures]) == list(range(pictures))
    assert {len(batch) for batch in order} == {min(size, pictures)}
    assert len(flat) - pictures < min(size, pictures)


@pytest.mark.parametrize("smoothing", [0, 0.3])
@pytest.mark.parametrize("soft", [None, SOFT], ids=["labels", "soft"])
def test_a_plain_recipe_gives_pictures_as_they_are_and_labels_or_soft_targets(smoothing, soft):
    recipe = replace(RECIPE, label_smoothing=smoothing)
    found = made(recipe, split=replace(SPLIT, targets=soft))
    targets = np.eye(3)[LABELS] if soft is None else soft
    for batch, chosen in zip(found, batch_order(recipe, 70, 1), strict=True):
        np.testing.assert_array_equal(batch.images[..., 0], IMAGES[chosen])
        expected = (1 - smoothing) * targets[chosen] + smoothing / 3
        np.testing.assert_allclose(batch.targets, expected, rtol=1e-5)
        assert batch.targets.dtype == np.float32


def test_seed_epoch_and_step_determine_a_batch():
    recipe = replace(RECIPE, augmentation=VARIED)
    whole, again, other = made(recipe, 2), made(recipe, 2), made(recipe, 3)
    assert len(whole) == 5
    for one, two in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one.images, two.images)
        np.testing.assert_array_equal(one.targets, two.targets)
    assert not np.array_equal(whole[0].images, other[0].images)
    first, second = (np.concatenate(batch_order(RECIPE, 70, epoch)) for epoch in (1, 2))
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(whole[0].targets.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("soft", [None, SOFT], ids=["labels", "soft"])
@pytest.mark.parametrize("mixup", [0, 0.2])
@pytest.mark.parametrize("processes", [2, 4])
def test_the_parts_of_all_processes_are_the_batch_of_one(processes, mixup, soft):
    augmentation = replace(VARIED, mixup=mixup, brightness=9, contrast=0.1)
    recipe = replace(RECIPE, augmentation=augmentation, label_smoothing=0.1)
    split = replace(SPLIT, targets=soft)
    whole = made(recipe, 2, split)
    devices = [Devices(processes, processes, process) for process in range(processes)]
    parts = [made(recipe, 2, split, devices=each) for each in devices]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert {len(share.images) for share in shares} == {16 // processes}
        for name in Batch._fields:
            joined = np.concatenate([getattr(share, name) for share in shares])
            np.testing.assert_array_equal(joined, getattr(batch, name))


def test_a_teacher_sees_the_augmented_pictures_and_takes_its_share():
    recipe = replace(
        RECIPE,
        augmentation=replace(PLAIN, flip="random"),
        teacher=Teacher(weights="t.keras", sha256="", classes=(), share=0.75),
    )
    seen: list[np.ndarray] = []

    def teacher(images):
        seen.append(images)
        return np.full((len(images), 3), [0.2, 0.3, 0.5], np.float32)

    first = made(recipe, teacher=teacher)[0]
    np.testing.assert_array_equal(seen[0], first.images[..., 0])
    one_hot = np.eye(3)[LABELS[batch_order(recipe, 70, 1)[0]]]
    expected = 0.25 * one_hot + 0.75 * np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(first.targets, expected, rtol=1e-6)


NUMBERS = st.integers(0, 9) | st.floats(0, 1) | st.floats(0, 600) | st.integers() | st.floats()
OFF = dict.fromkeys([name for name in vars(PLAIN) if name != "flip"], 0)
OTHERS = st.sampled_from(["seed", "batch_size", "label_smoothing"])


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(list(OFF)), NUMBERS, max_size=2),
    st.sampled_from(["none", "random", "alternating"]),
    st.dictionaries(OTHERS, NUMBERS, max_size=1),
)
def test_every_recipe_is_refused_or_makes_a_batch(varied, flip, changed):
    values = asdict(RECIPE) | changed | {"augmentation": OFF | {"flip": flip} | varied}
    try:
        recipe = checked(values, "train", Recipe, "it")
    except ParameterError:
        return
    batch = next(epoch_batches(recipe, SPLIT, 3, 1, batch_order(recipe, len(SPLIT), 1)))
    assert batch.images.dtype == np.uint8
    np.testing.assert_allclose(batch.targets.sum(axis=1), 1, rtol=1e-5)
