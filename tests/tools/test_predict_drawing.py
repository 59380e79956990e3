import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageColor

from facial_expression.inference.boxes import Box
from facial_expression.inference.pipeline import Face, Result
from tools.predict.drawing import draw, file_name, jpeg

CLASSES = ("angry", "happy")
SHARES = np.array([0.1, 0.9], np.float32)
YELLOW = (255, 212, 0)


def drawn(size: tuple[int, int], *boxes: Box, ground: str = "#808080") -> NDArray[np.uint8]:
    picture = Image.new("RGB", size, ground)
    pixels = np.asarray(draw(picture, picture.size, [Face(box, SHARES, CLASSES) for box in boxes]))
    assert picture.getcolors() == [(size[0] * size[1], ImageColor.getrgb(ground))], "not changed"
    return pixels


@pytest.mark.parametrize("ground", ["white", "black", "#ffd400"])
def test_box_and_label_stand_out_on_any_ground(ground):
    pixels = drawn((800, 600), Box(200, 150, 300, 300, 1), ground=ground)
    edge = pixels[300, 190:215].astype(int)
    assert (edge == YELLOW).all(axis=1).any()
    assert (edge.max(axis=1) < 40).any(), "beside a dark line"
    assert tuple(pixels[300, 350]) == ImageColor.getrgb(ground), "the face stays free"
    above = pixels[100:148, 200:400]
    assert (above == YELLOW).all(axis=2).sum() > 100, "letters"
    assert (above.max(axis=2) < 40).mean() > 0.2, "on a dark ground"


def test_a_label_stays_on_the_picture_if_the_face_fills_it():
    corner = drawn((400, 400), Box(0, 0, 400, 400, 1))[3:40, 5:200].astype(int)
    assert (np.abs(corner - YELLOW).max(axis=2) < 80).sum() > 50, "letters"
    assert (corner.max(axis=2) < 40).sum() > 300, "on a dark ground"


def test_labels_of_a_crowd_leave_its_faces_free():
    boxes = [Box(x, y, 40, 50, 1) for y in range(60, 1100, 140) for x in range(20, 1500, 120)]
    pixels = drawn((1600, 1200), *boxes)
    for box in boxes:
        x, y = int(box.left + 20), int(box.top + 25)
        assert (pixels[y - 15 : y + 15, x - 10 : x + 10] == 128).all()


@settings(max_examples=40)
@given(
    st.floats(-50, 700), st.floats(-50, 500), st.floats(1, 500), st.floats(1, 500),
    st.sampled_from([(640, 480), (48, 48), (1000, 20), (1, 1)]),
)  # fmt: skip
def test_any_box_can_be_drawn_and_only_small_pictures_are_enlarged(left, top, width, height, size):
    rows, columns, _ = drawn(size, Box(left, top, width, height, 1)).shape
    factor = columns // size[0]
    assert (columns, rows) == (size[0] * factor, size[1] * factor)
    assert max(rows, columns) >= 320
    assert factor == 1 or max(size) < 320


@settings(max_examples=40)
@given(st.text(min_size=1), st.integers(1, 10**7), st.none() | st.integers(0, 10**7))
def test_a_file_name_is_plain_and_unique(path, number, frame):
    name = file_name(number, Result(path, frame))
    assert set("/\\\0\n").isdisjoint(name)
    assert len(name.encode()) < 256
    assert name.startswith(f"{number:06d}-")
    assert file_name(1, Result("a/Höpper 浩 (2).jpg", None)) == "000001-Höpper 浩 (2).jpg"


def test_the_file_is_a_jpeg_without_metadata():
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    stream = io.BytesIO()
    Image.new("RGB", (400, 300)).save(stream, "JPEG", exif=exif)
    data = jpeg(draw(Image.open(stream).convert("RGB"), (64, 64), []))
    assert data.startswith(b"\xff\xd8")
    assert b"where I live" not in data
