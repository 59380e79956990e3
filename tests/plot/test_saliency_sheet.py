from __future__ import annotations

import numpy as np
import pytest

from facial_expression.plot.saliency_sheet import overlay, saliency_sheet
from facial_expression.plot.sheets import Predicted
from facial_expression.plot.style import png
from tests.plot.test_figures import assert_nothing_is_cut_off, texts

CLASSES = ["calm", "glad", "sad"]
SIDE = 8


def drawn(actual: list[int], predicted: list[int]):
    """A sheet of pictures whose grey level is their number."""
    count = len(actual)
    images = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, SIDE, SIDE), np.uint8)
    probabilities = np.full((count, 3), 0.15)
    probabilities[np.arange(count), predicted] = 0.7
    shown = Predicted(images, np.array(actual, int), np.array(predicted, int), probabilities)
    maps = np.full((count, SIDE, SIDE), 100, np.uint8)
    return saliency_sheet(CLASSES, shown, maps, (1200, 34), "test")


def places(figure) -> dict[int, tuple[float, float]]:
    """Grey level of each plain picture -> its left and top edge."""
    found = {}
    for image in figure.axes[0].images:
        pixels = np.asarray(image.get_array())
        if pixels.shape == (SIDE, SIDE):
            left, _, _, top = image.get_extent()
            found[int(pixels[0, 0])] = (round(left, 6), round(top, 6))
    return found


def test_rows_are_classes_and_right_stands_left_of_wrong():
    where = places(drawn([0, 0, 0, 1, 2, 2], [0, 0, 1, 0, 2, 2]))
    assert where[0][1] == where[1][1] == where[2][1] < where[3][1] < where[4][1] == where[5][1]
    assert where[0][0] == where[4][0] < where[1][0] == where[5][0] < where[2][0] == where[3][0]


def test_captions_say_the_predicted_class_and_its_probability():
    figure = drawn([0, 1], [0, 2])
    said = texts(figure).splitlines()
    assert said.count("calm, 70 %") == said.count("sad, 70 %") == 1
    assert "right: 1 of 1,200 drawn at random" in said
    assert "wrong: 1 of 34 drawn at random" in said
    assert said.count("none") == 4
    assert_nothing_is_cut_off(figure)


def test_every_picture_stands_beside_its_overlay():
    figure = drawn([0, 1, 2], [0, 1, 1])
    coloured = [np.asarray(i.get_array()) for i in figure.axes[0].images]
    coloured = [pixels for pixels in coloured if pixels.shape == (SIDE, SIDE, 3)]
    assert len(coloured) == len(places(figure)) == 3


def test_a_sheet_of_no_picture_is_drawn():
    figure = drawn([], [])
    assert texts(figure).splitlines().count("none") == 6
    assert png(figure, 60).startswith(b"\x89PNG")


def test_the_same_sheet_is_the_same_bytes():
    assert png(drawn([0, 1], [0, 2]), 60) == png(drawn([0, 1], [0, 2]), 60)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_more_evidence_is_lighter_and_the_picture_stays_visible(grey):
    ramp = np.arange(256, dtype=np.uint8)[None]
    light = overlay(np.full_like(ramp, grey), ramp) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light[0]) >= -1).all(), "lightness rises, but for rounding"
    assert light[0, -1] - light[0, 0] > 60
    black, white = overlay(np.zeros_like(ramp), ramp), overlay(np.full_like(ramp, 255), ramp)
    assert (white.astype(int) - black >= 120).all()
