from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from facial_expression.training.augmentation import augment, shifted

BATCH = np.random.default_rng(0).integers(0, 256, (64, 12, 12), dtype=np.uint8)


@given(st.integers(-11, 11), st.integers(-11, 11))
def test_a_shift_is_scipys(down, right):
    expected = ndimage.shift(BATCH, (0, down, right), order=0, mode="nearest")
    np.testing.assert_array_equal(shifted(BATCH, down, right), expected)


def test_flips_mirror_about_half_of_the_pictures_and_leave_the_rest():
    before = BATCH.copy()
    out = augment(BATCH, np.random.default_rng(0), flip=True, shift=0)
    same = (out == BATCH).all(axis=(1, 2))
    mirrored = (out == BATCH[:, :, ::-1]).all(axis=(1, 2))
    assert (same | mirrored).all()
    assert 15 < mirrored.sum() < 49
    np.testing.assert_array_equal(BATCH, before)
    assert out.dtype == np.uint8


@pytest.mark.parametrize(("flip", "shift"), [(True, 0), (False, 3), (True, 3)])
def test_the_generator_determines_everything(flip, shift):
    one, two = (augment(BATCH, np.random.default_rng(5), flip=flip, shift=shift) for _ in "ab")
    other = augment(BATCH, np.random.default_rng(7), flip=flip, shift=shift)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_nothing_is_done_unless_asked():
    out = augment(BATCH, np.random.default_rng(0), flip=False, shift=0)
    np.testing.assert_array_equal(out, BATCH)
