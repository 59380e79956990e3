import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from facial_expression.network.resampling import about_centre, resample, shifted

COUNT, SIDE = 60, 24
BATCH = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
BATCH.flags.writeable = False  # so that no test lets its input be modified
NOBODY = np.zeros(COUNT, bool)
EVERY_OTHER = np.arange(COUNT) % 2 == 0


@given(st.integers(-SIDE, SIDE), st.integers(-SIDE, SIDE))
def test_whole_pixel_shifts_are_scipys(down, right):
    moves = np.array([down, right]) - np.arange(COUNT)[:, None] % (4, 7)
    mirrored = np.where(EVERY_OTHER[:, None, None], BATCH[:, :, ::-1], BATCH)
    expected = [
        ndimage.shift(picture, move, order=0, mode="nearest")
        for picture, move in zip(mirrored, moves, strict=True)
    ]
    out = shifted(BATCH, EVERY_OTHER, *moves.T)
    np.testing.assert_array_equal(out, expected)
    assert out.dtype == np.uint8


@given(st.floats(-180, 180), st.floats(0.1, 3), st.floats(-30, 30), st.floats(-30, 30))
def test_resampling_is_scipys_to_one_grey_level(angle, factor, down, right):
    number = np.arange(COUNT, dtype=np.float64)  # each picture its own map
    shifts = np.array([down, right]) + number[:, None] * (0.13, -0.17)
    maps = about_centre(SIDE, EVERY_OTHER, angle + 3 * number, factor + 0.01 * number, shifts)
    expected = [
        ndimage.affine_transform(picture, *where, order=1, mode="nearest")
        for picture, *where in zip(BATCH, *maps, strict=True)
    ]
    out = resample(BATCH, *maps)
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - expected).max() <= 1


def test_maps_that_hit_whole_pixels_are_exact():
    right_angle, one, none = np.full(COUNT, 90.0), np.ones(COUNT), np.zeros(COUNT)
    turn = about_centre(SIDE, NOBODY, right_angle, one, np.zeros((COUNT, 2)))
    np.testing.assert_array_equal(resample(BATCH, *turn), np.rot90(BATCH, axes=(1, 2)))
    moves = np.arange(COUNT)[:, None] % (5, 9) - (2, 4)
    move = about_centre(SIDE, EVERY_OTHER, none, one, moves.astype(float))
    np.testing.assert_array_equal(resample(BATCH, *move), shifted(BATCH, EVERY_OTHER, *moves.T))


@pytest.mark.parametrize("down", [-1e9, 1e9])
@pytest.mark.parametrize("right", [-1e9, 1e9])
def test_far_off_the_picture_its_corner_is_repeated(down, right):
    out = resample(BATCH, np.tile(np.eye(2), (COUNT, 1, 1)), np.tile([down, right], (COUNT, 1)))
    corner = BATCH[:, -1 if down > 0 else 0, -1 if right > 0 else 0]
    np.testing.assert_array_equal(out, np.broadcast_to(corner[:, None, None], out.shape))
