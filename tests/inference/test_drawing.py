from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from facial_expression.inference.boxes import Box
from facial_expression.inference.drawing import SMALLEST, draw, jpeg, name_of
from facial_expression.inference.pipeline import Face, Seen

CLASSES = ("angry", "happy")
SHARES = np.array([0.1, 0.9], np.float32)
YELLOW = (255, 212, 0)


def drawn(size: tuple[int, int], *boxes: Box, ground: str = "#808080") -> NDArray[np.uint8]:
    picture = Image.new("RGB", size, ground)
    return np.asarray(draw(picture, [Face(box, SHARES) for box in boxes], CLASSES))


@pytest.mark.parametrize("ground", ["white", "black", "#ffd400"])
def test_the_box_stands_out_on_any_ground(ground: str):
    pixels = drawn((800, 600), Box(200, 150, 300, 300, 1), ground=ground)
    edge = pixels[300, 190:215].astype(int)
    assert (edge == YELLOW).all(axis=1).any()
    assert (edge.max(axis=1) < 40).any(), "beside a dark line"
    np.testing.assert_array_equal(
        pixels[300, 350], Image.new("RGB", (1, 1), ground).getpixel((0, 0))
    )


def test_a_label_is_written_above_the_box():
    pixels = drawn((800, 600), Box(200, 150, 300, 300, 1))
    above = pixels[100:148, 200:400]
    assert ((above == YELLOW).all(axis=2)).sum() > 100, "letters"
    assert (above.max(axis=2) < 40).mean() > 0.2, "on a dark ground"


@given(
    st.floats(-50, 700), st.floats(-50, 500), st.floats(1, 500), st.floats(1, 500),
    st.sampled_from([(640, 480), (48, 48), (1000, 20), (1, 1)]),
)  # fmt: skip
def test_any_box_can_be_drawn(
    left: float, top: float, width: float, height: float, size: tuple[int, int]
):
    pixels = drawn(size, Box(left, top, width, height, 1))
    factor = pixels.shape[1] // size[0]
    assert pixels.shape == (size[1] * factor, size[0] * factor, 3)


def test_a_label_stays_on_the_picture_where_a_face_fills_it():
    pixels = drawn((400, 400), Box(0, 0, 400, 400, 1))
    corner = pixels[3:40, 5:200].astype(int)
    assert (np.abs(corner - YELLOW).max(axis=2) < 80).sum() > 50, "letters"
    assert (corner.max(axis=2) < 40).sum() > 300, "on a dark ground"


def test_small_pictures_are_enlarged_and_large_ones_not():
    assert drawn((48, 48), Box(0, 0, 48, 48, 1)).shape[0] >= SMALLEST
    assert drawn((640, 480), Box(0, 0, 48, 48, 1)).shape == (480, 640, 3)


def test_the_picture_itself_is_left_alone():
    picture = Image.new("RGB", (400, 300), "white")
    draw(picture, [Face(Box(10, 10, 99, 99, 1), SHARES)], CLASSES)
    assert (np.asarray(picture) == 255).all()


def test_labels_of_a_crowd_leave_its_faces_free():
    boxes = [Box(x, y, 40, 50, 1) for y in range(60, 1100, 140) for x in range(20, 1500, 120)]
    pixels = drawn((1600, 1200), *boxes)
    for box in boxes:
        x, y = int(box.left + 20), int(box.top + 25)
        assert (pixels[y - 15 : y + 15, x - 10 : x + 10] == 128).all()


@given(st.text(min_size=1), st.integers(1, 10**7), st.none() | st.integers(0, 10**7))
def test_a_name_is_a_plain_file_name_and_no_two_are_alike(
    path: str, number: int, frame: int | None
):
    name = name_of(number, Seen(path, frame))
    assert set("/\\\0\n").isdisjoint(name)
    assert name.isascii()
    assert len(name) < 128
    assert name != name_of(number + 1, Seen(path, frame))
    assert name.startswith(f"{number:06d}-")


def test_the_file_is_a_jpeg_without_metadata():
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    stream = io.BytesIO()
    Image.new("RGB", (400, 300)).save(stream, "JPEG", exif=exif)
    data = jpeg(draw(Image.open(stream).convert("RGB"), [], CLASSES))
    assert data.startswith(b"\xff\xd8")
    assert b"where I live" not in data
    assert data == jpeg(draw(Image.open(stream).convert("RGB"), [], CLASSES))
