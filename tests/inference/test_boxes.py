from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_expression.inference.boxes import Box, CropRule, crop


def ramp(width: int, height: int) -> Image.Image:
    """Every pixel tells its place: 2 * x + y."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray((2 * x + y).astype(np.uint8))


def test_the_square_follows_from_area_and_centre():
    left, top, side = CropRule(scale=1.5, drop=0.1).square(Box(10, 20, 8, 18, 1.0))
    assert side == pytest.approx(1.5 * 12)
    assert left + side / 2 == pytest.approx(14)
    assert top + side / 2 == pytest.approx(29 + 1.8)


def test_a_square_of_the_network_s_size_is_copied():
    pixels = crop(ramp(40, 30), Box(5, 6, 12, 12, 1.0), CropRule(1.0, 0.0), 12)
    np.testing.assert_array_equal(pixels, np.asarray(ramp(40, 30))[6:18, 5:17])


def test_the_edge_is_repeated_beyond_the_picture():
    pixels = crop(ramp(20, 20), Box(-5, -5, 20, 20, 1.0), CropRule(1.0, 0.0), 20)
    repeated = np.pad(np.asarray(ramp(20, 20)), ((5, 0), (5, 0)), mode="edge")
    np.testing.assert_array_equal(pixels, repeated[:20, :20])


PAD = 800
PADDED = Image.fromarray(np.pad(np.asarray(ramp(40, 30)), PAD, mode="edge"))
sizes = st.floats(1, 300)


@given(st.floats(0, 39), st.floats(0, 29), sizes, sizes, st.floats(0.5, 3), st.floats(-0.3, 0.3))
def test_any_box_gives_what_pillow_crops_from_a_padded_picture(x, y, width, height, scale, drop):
    box, rule = Box(x - width / 2, y - height / 2, width, height, 1.0), CropRule(scale, drop)
    left, top, side = rule.square(box)
    window = (left + PAD, top + PAD, left + side + PAD, top + side + PAD)
    expected = PADDED.resize((16, 16), Image.Resampling.LANCZOS, box=window)
    pixels = crop(ramp(40, 30), box, rule, 16)
    assert (pixels.shape, pixels.dtype) == ((16, 16), np.uint8)
    if side >= 16:  # three pixels of rim, where only `expected` knows what lies outside the square
        difference = np.abs(pixels.astype(int) - np.asarray(expected))[3:-3, 3:-3]
        assert difference.max() <= 1
