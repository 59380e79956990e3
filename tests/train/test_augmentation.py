import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from facial_expression.network.recipe import Augmentation
from facial_expression.network.resampling import shifted
from facial_expression.train.augmentation import ASPECT, augment, draw, mirrored, mixup

COUNT, SIDE = 60, 24  # more pictures than one part holds
BATCH = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
BATCH.flags.writeable = False  # so that no test lets its input be modified
NOBODY, EVERYBODY = np.zeros(COUNT, bool), np.ones(COUNT, bool)
EVERY_OTHER = np.arange(COUNT) % 2 == 0
OFF: dict[str, float] = dict.fromkeys([*Augmentation.__dataclass_fields__][1:], 0.0)
ON = {"shift": 3, "scale": 0.2, "rotation": 20, "erasing": 0.7, "brightness": 30, "contrast": 0.3}


def only(flip: Any = "none", **some: float) -> Augmentation:
    return Augmentation(flip=flip, **{**OFF, **some})


def varied(images: np.ndarray = BATCH, seed: int = 0, mirror: Any = False, **some: Any) -> Any:
    settings = only(**some)
    changes = draw(np.random.default_rng(seed), len(images), images.shape[1], settings)
    return augment(images, np.broadcast_to(mirror, len(images)), changes, settings)


def mixed(images: np.ndarray, targets: np.ndarray, seed: int, alpha: float) -> Any:
    changes = draw(np.random.default_rng(seed), len(images), SIDE, only(mixup=alpha))
    return mixup(images, targets, changes.weight, changes.partners)


@pytest.mark.parametrize("flip", ["random", "alternating"])
def test_half_are_mirrored_and_seed_and_epoch_determine_which(flip):
    for epoch in range(1, 4):
        one, again, other = (mirrored(only(flip), seed, epoch, 1000) for seed in (0, 0, 1))
        assert 420 < one.sum() < 580
        assert 420 < (one ^ other).sum() < 580
        np.testing.assert_array_equal(one, again)
        following = mirrored(only(flip), 0, epoch + 1, 1000)
        assert 420 < (one ^ following).sum() < 580 or flip == "alternating"


def test_alternating_flips_mirror_each_picture_in_every_other_epoch():
    epochs = np.array([mirrored(only("alternating"), 3, epoch, 100) for epoch in range(1, 8)])
    assert (epochs[1:] != epochs[:-1]).all()


def test_mirrored_pictures_are_mirrored_left_to_right_and_the_others_stay():
    out = varied(mirror=EVERY_OTHER)
    np.testing.assert_array_equal(out[::2], BATCH[::2, :, ::-1])
    np.testing.assert_array_equal(out[1::2], BATCH[1::2])


def test_shifts_alone_copy_pixels_and_go_exactly_as_far_as_they_may():
    steps = np.stack(np.meshgrid(range(-2, 3), range(-2, 3))).reshape(2, 25).T.tolist()
    moves = {tuple(step): shifted(BATCH, EVERYBODY, *np.full((COUNT, 2), step).T) for step in steps}
    used = set()
    for seed in range(6):
        out = varied(seed=seed, mirror=EVERYBODY, shift=2.9)
        fitting = {move: (out == seen).all(axis=(1, 2)) for move, seen in moves.items()}
        assert np.any(list(fitting.values()), axis=0).all()
        used |= {move for move, fits in fitting.items() if fits.any()}
    assert used == set(moves)  # 360 draws of 25


@pytest.mark.parametrize(
    "asked", [{"scale": 0.2}, {"rotation": 20.0}, {"shift": 3.0, "scale": 0.2, "rotation": 20.0}]
)
def test_pictures_are_shifted_enlarged_and_turned_as_far_as_asked(asked):
    """Two ramps, varied alike, tell the coordinates that each pixel shows."""
    steep, centre = 4, (SIDE - 1) / 2
    ramp = (128 + steep * (np.arange(SIDE) - centre)).astype(np.uint8)[:, None]
    down = np.broadcast_to(ramp, (400, SIDE, SIDE))
    shown = [varied(images, **asked) for images in (down, down.transpose(0, 2, 1))]
    middle = (np.stack(shown, axis=1)[:, :, 8:16, 8:16] - 128.0) / steep  # from the centre
    over_rows = (middle[:, :, 4:] - middle[:, :, :4]).mean(axis=(2, 3)) / 4
    over_columns = (middle[..., 4:] - middle[..., :4]).mean(axis=(2, 3)) / 4
    matrices = np.stack([over_rows, over_columns], axis=2)
    factors = np.linalg.det(matrices) ** -0.5
    angles = np.degrees(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    shifts = np.linalg.solve(matrices, -middle.mean(axis=(2, 3))[..., None])[..., 0]
    for found, most, near in (
        (factors - 1, asked.get("scale", 0), 0.04),
        (angles, asked.get("rotation", 0), 2),
        (shifts[:, 0], asked.get("shift", 0), 0.1),
        (shifts[:, 1], asked.get("shift", 0), 0.1),
    ):
        assert found.min() == pytest.approx(-most, abs=near)
        assert found.max() == pytest.approx(most, abs=near)
        assert found.mean() == pytest.approx(0, abs=near + 0.1 * most)


@pytest.mark.parametrize("brightness", [0.0, 60.0])
@pytest.mark.parametrize("contrast", [0.0, 0.9])
def test_brightness_and_contrast_are_a_naive_loops(brightness, contrast):
    out = varied(seed=4, brightness=brightness, contrast=contrast)
    rng = np.random.default_rng(4)
    gains = 1 + rng.uniform(-contrast, contrast, COUNT) if contrast else np.ones(COUNT)
    added = rng.uniform(-brightness, brightness, COUNT) if brightness else np.zeros(COUNT)
    for before, after, gain, more in zip(BATCH, out, gains, added, strict=True):
        levels = before.ravel().tolist()
        mean = sum(levels) / len(levels)
        for level, found in zip(levels, after.ravel().tolist(), strict=True):
            expected = min(max(mean + gain * (level - mean) + more, 0), 255)
            assert abs(found - expected) <= 0.5001


def test_erasing_covers_rectangles_of_the_papers_sizes_with_noise():
    side, count = 64, 2000
    grey = np.full((count, side, side), 77, np.uint8)
    changed = varied(grey, erasing=0.4) != grey
    covered = np.flatnonzero(changed.any(axis=(1, 2)))
    assert 700 < len(covered) < 900
    boxes = np.array([_box(picture) for picture in changed[covered]])
    (top, left), (height, width) = boxes[:, 0].T, boxes[:, 1].T
    assert changed.sum() > 0.99 * (height * width).sum()  # noise has grey level 77 now and then
    areas, aspects = height * width / side**2, np.log(height / width) / math.log(ASPECT)
    assert areas.min() == pytest.approx(0.02, abs=0.005)
    assert areas.max() == pytest.approx(0.2, abs=0.01)
    assert areas.mean() == pytest.approx(0.11, abs=0.015)
    assert aspects.min() == pytest.approx(-1, abs=0.1)  # sides are rounded to pixels
    assert aspects.max() == pytest.approx(1, abs=0.1)
    assert aspects.mean() == pytest.approx(0, abs=0.15)
    for start, size in ((top, height), (left, width)):
        assert start.min() == 0
        assert (start + size).max() == side


def _box(changed: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    return (rows[0], columns[0]), (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)


@given(st.integers(0, 1000), st.floats(0.1, 5))
def test_mixup_mixes_pictures_and_targets_by_one_weight(seed, alpha):
    few = BATCH[:12]
    images, shares = mixed(few, np.eye(12, dtype=np.float32), seed, alpha)
    assert (images.dtype, shares.dtype) == (np.uint8, np.float32)
    # one target a picture: the mixed targets are the weights of the pictures
    assert (shares.sum(axis=0) == 1).all()  # every picture has one partner and is the partner once
    assert (shares.sum(axis=1) == 1).all()
    assert len(set(np.diag(shares).tolist()) - {1.0}) <= 1
    exact = np.tensordot(shares.astype(float), few.astype(float), axes=1)
    np.testing.assert_array_equal(images, np.floor(exact + 0.5))


def test_mixups_weights_follow_the_beta_distribution():
    images, targets = BATCH[:2], np.eye(2, dtype=np.float32)
    drawn = [mixed(images, targets, s, 0.4)[1][0, 0] for s in range(600)]
    # half of the permutations of two leave both where they are, and then the share is 1
    swapped = [share for share in drawn if share < 1]
    assert stats.kstest(swapped, stats.beta(0.4, 0.4).cdf).pvalue > 0.001


@pytest.mark.parametrize("asked", [{name: most} for name, most in ON.items()] + [ON], ids=str)
def test_the_generator_determines_everything(asked):
    one, again, other = (varied(seed=seed, **asked) for seed in (5, 5, 7))
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, BATCH)


def test_nothing_is_done_and_nothing_drawn_unless_asked():
    rng = np.random.default_rng(0)
    changes = draw(rng, COUNT, SIDE, only())
    out = augment(BATCH, NOBODY, changes, only())
    np.testing.assert_array_equal(out, BATCH)
    assert not np.shares_memory(out, BATCH)
    assert not mirrored(only(), seed=1, epoch=1, pictures=50).any()
    targets = np.eye(COUNT, dtype=np.float32)
    same_images, same_targets = mixup(BATCH, targets, changes.weight, changes.partners)
    np.testing.assert_array_equal(same_images, BATCH)
    np.testing.assert_array_equal(same_targets, targets)
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
