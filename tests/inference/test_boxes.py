import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_expression.inference.boxes import Box, CropRule, crop, reading_order


def ramp(width: int, height: int) -> Image.Image:
    """Every pixel tells its place: 2 * x + y."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray((2 * x + y).astype(np.uint8))


def test_faces_are_read_row_by_row_from_left_to_right():
    places = [(200, 12), (10, 20), (400, 28), (210, 110), (15, 100), (120, 300)]
    boxes = [Box(left, top, 60, 80, 0.9 - left / 1000) for left, top in places]
    order = [(box.left, box.top) for box in reading_order(boxes)]
    assert order == [(10, 20), (200, 12), (400, 28), (15, 100), (210, 110), (120, 300)]
    assert reading_order(reversed(boxes)) == reading_order(boxes)


def test_a_box_is_cut_at_the_edges_of_the_picture():
    assert Box(-4, -2, 30, 70, 0.5).clipped((20, 60)) == Box(0, 0, 20, 60, 0.5)
    assert Box(3, 5, 8, 9, 0.5).clipped((20, 60)) == Box(3, 5, 8, 9, 0.5)


def test_the_square_follows_from_area_and_centre():
    left, top, side = CropRule(scale=1.5, drop=0.1).square(Box(10, 20, 8, 18, 1.0))
    assert side == pytest.approx(1.5 * 12)
    assert left + side / 2 == pytest.approx(14)
    assert top + side / 2 == pytest.approx(29 + 1.8)


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
