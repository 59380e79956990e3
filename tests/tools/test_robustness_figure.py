from __future__ import annotations

import numpy as np
import pytest

from facial_expression.plot.style import png
from tests.plot.test_figures import BLUE, assert_nothing_is_cut_off, texts
from tools.robustness.figure import Curve, accuracy_by_strength, corruption_sheet

ACCURACY = [0.9, 0.8, 0.5]
CURVE = Curve("pixels", [0.5, 2], ACCURACY, [0.8, 0.7, 0.4], [0.95, 0.85, 0.6])


@pytest.mark.parametrize("count", [1, 4, 8])
def test_every_corruption_has_a_panel_with_its_numbers(count):
    curves = {f"corruption {number}": CURVE for number in range(count)}
    figure = accuracy_by_strength(curves, "Accuracy (n = 3)", BLUE)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == count
    for axes in shown:
        clean, line = axes.lines
        assert list(line.get_ydata()) == ACCURACY
        assert set(clean.get_ydata()) == {0.9}
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["none", "0.5", "2"]
        assert axes.get_xlabel() == "pixels"
    said = texts(figure)
    assert all(name in said for name in [*curves, "accuracy (%)", "n = 3"])
    assert_nothing_is_cut_off(figure)


def test_the_sheet_shows_each_picture_at_its_place():
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 256, (3, 16, 16), dtype=np.uint8) for name in ("a", "b")}
    figure = corruption_sheet(pictures, {"a": [1, 2], "b": [0.25, 7]})
    shown = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(np.stack(shown), np.concatenate(list(pictures.values())))
    said = texts(figure)
    assert all(text in said for text in ("as it is", "0.25", "7", "16x16"))
    assert_nothing_is_cut_off(figure)


def test_the_same_figure_is_the_same_bytes():
    one, other = (accuracy_by_strength({"blur": CURVE}, "A", BLUE) for _ in range(2))
    assert png(one, 60) == png(other, 60)
