import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.pictures.images import decode, square
from tests.helpers import picture
from tools.robustness.corruptions import CORRUPTIONS, GREY, STRENGTHS, corrupted

RANDOM = {"noise", "brightness", "rotation", "occlusion"}
names = pytest.mark.parametrize("name", CORRUPTIONS)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Twelve smooth pictures, uint8 (12, 48, 48)."""
    return np.stack([square(decode(picture(seed, kind="PNG")), 48) for seed in range(12)])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@names
def test_every_strength_is_farther_from_the_picture(pictures, name):
    before = pictures.copy()
    made = [corrupted(pictures, name, strength, 0) for strength in (0, *STRENGTHS)]
    np.testing.assert_array_equal(made[0], pictures)
    assert not np.shares_memory(made[0], pictures)
    distances = [distance(each, pictures) for each in made]
    assert all(low < high for low, high in itertools.pairwise(distances)), distances
    np.testing.assert_array_equal(pictures, before)


@names
def test_chance_follows_the_seed_and_not_the_pictures_behind(pictures, name):
    one, again, other = (corrupted(pictures, name, 3, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (distance(one, other) > 0) == (name in RANDOM)
    np.testing.assert_array_equal(corrupted(pictures[:5], name, 3, 0), one[:5])


def test_noise_has_the_deviation_that_it_names():
    grey = np.full((4, 48, 48), 128, np.uint8)
    for strength, share in zip((1, 2, 3), CORRUPTIONS["noise"].values, strict=False):
        change = corrupted(grey, "noise", strength, 0).astype(float) - 128
        assert change.std() == pytest.approx(255 * share, rel=0.03)
        assert abs(change.mean()) < 255 * share / 30


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_occlusion_is_one_square_inside_that_grows(seed):
    black = np.zeros((6, 48, 48), np.uint8)
    inner = np.zeros_like(black, dtype=bool)
    for strength, side in zip(STRENGTHS, CORRUPTIONS["occlusion"].values, strict=True):
        found = corrupted(black, "occlusion", strength, seed)
        covered = found == GREY
        assert (covered.sum(axis=(1, 2)) == side**2).all()
        assert (found[~covered] == 0).all()
        assert (covered.any(axis=1).sum(axis=1) == side).all()
        assert (covered.any(axis=2).sum(axis=1) == side).all()
        assert (covered | ~inner).all(), "a larger square covers what a smaller one does"
        inner = covered
