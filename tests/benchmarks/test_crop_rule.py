from __future__ import annotations

import numpy as np
import pytest

from benchmarks.crop_rule import FRAME, MARGIN, canvas_of, find_faces, framing
from facial_expression.inference.boxes import Box, CropRule, crop
from facial_expression.inference.detection import Detector
from tests.helpers import drawn_face


def test_the_framing_of_a_box_is_the_rule_that_gives_the_picture_back() -> None:
    picture = drawn_face(3)
    canvas = canvas_of(picture)
    assert canvas.size == (FRAME + 2 * MARGIN,) * 2
    box = Box(MARGIN + 70, MARGIN + 60, 100, 144, 0.9)  # its centre above the frame's
    ((scale, drop, drift),) = framing([box])
    assert (scale, drop, drift) == pytest.approx((240 / 120, -12 / 240, 0))
    cut = crop(canvas, box, CropRule(scale, drop), 48)
    assert np.abs(cut.astype(int) - picture).mean() < 3  # but for the resampling
    assert np.abs(crop(canvas, box, CropRule(1.5, 0.1), 48).astype(int) - picture).mean() > 10


def test_a_box_beside_the_middle_drifts() -> None:
    box = Box(MARGIN + 60, MARGIN + 60, 120, 120, 0.9)
    left, above = Box(MARGIN + 36, *(box.top, 120, 120, 0.9)), Box(box.left, MARGIN, 120, 120, 0.9)
    np.testing.assert_allclose(framing([box, left, above]), [[2, 0, 0], [2, 0, 0.1], [2, 0.25, 0]])


def test_faces_are_found_by_their_number_and_blanks_are_left_out() -> None:
    blank = np.full((48, 48), 128, np.uint8)
    pictures = np.stack([drawn_face(0), blank, drawn_face(1)])
    faces = list(find_faces(pictures, Detector(threads=1)))
    assert [face.number for face in faces] == [0, 2]
    scale, drop, drift = framing([face.box for face in faces]).mean(axis=0)
    assert 1.1 < scale < 1.5
    assert abs(drop) < 0.1
    assert abs(drift) < 0.1
