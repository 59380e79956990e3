from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_expression.inference.boxes import Box, CropRule, crop

RULE = CropRule(scale=1.5, drop=0.1)


def ramp(width: int, height: int) -> Image.Image:
    """Every pixel says where it is: 2 * x + y."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray((2 * x + y).astype(np.uint8))


def test_the_square_follows_from_area_and_centre():
    left, top, side = RULE.square(Box(10, 20, 8, 18, 1.0))
    assert side == pytest.approx(1.5 * 12)
    assert left + side / 2 == pytest.approx(14)
    assert top + side / 2 == pytest.approx(29 + 1.8)


def test_a_square_of_the_same_size_is_cut_out_untouched():
    cut = crop(ramp(40, 30), Box(5, 6, 12, 12, 1.0), CropRule(1.0, 0.0), 12)
    y, x = np.mgrid[6:18, 5:17]
    np.testing.assert_array_equal(cut, 2 * x + y)


def test_it_is_the_same_as_cutting_from_the_whole_picture():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8))
    box = Box(20, 15, 17.5, 21.5, 1.0)
    left, top, side = RULE.square(box)
    whole = picture.resize(
        (48, 48), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side)
    )
    cut = crop(picture, box, RULE, 48).astype(int)
    inner = slice(6, -6)  # the filter may look beyond the cut at its rim
    assert np.abs(cut - np.asarray(whole))[inner, inner].max() <= 1


def test_what_lies_beyond_the_picture_repeats_its_edge():
    cut = crop(ramp(20, 20), Box(-5, -5, 20, 20, 1.0), CropRule(1.0, 0.0), 20)
    assert (cut[:6, :6] == 0).all()
    np.testing.assert_array_equal(cut[5:, 5], np.arange(15))
    np.testing.assert_array_equal(cut[5, 5:], 2 * np.arange(15))


sizes = st.floats(1, 300)


@given(st.floats(0, 39), st.floats(0, 29), sizes, sizes, st.floats(0.5, 3), st.floats(-0.3, 0.3))
def test_any_box_on_the_picture_gives_a_picture_of_the_size(x, y, width, height, scale, drop):
    box = Box(x - width / 2, y - height / 2, width, height, 1.0)
    cut = crop(ramp(40, 30), box, CropRule(scale, drop), 16)
    assert cut.shape == (16, 16)
    assert cut.dtype == np.uint8
