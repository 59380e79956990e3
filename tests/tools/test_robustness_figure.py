from __future__ import annotations

import numpy as np
import pandas as pd

from tests.plot.test_figures import BLUE, assert_nothing_is_cut_off, texts
from tools.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupted
from tools.robustness.figure import accuracy_by_strength, corruption_sheet


def test_every_corruption_has_a_panel_with_its_numbers():
    cases = [("none", 0), *((name, k) for name in CORRUPTIONS for k in STRENGTHS)]
    table = pd.DataFrame(cases, columns=["corruption", "strength"])
    accuracy = np.linspace(0.9, 0.1, len(table))
    table = table.assign(
        n=1234, accuracy=accuracy, accuracy_low=accuracy - 0.1, accuracy_high=accuracy + 0.1
    )
    figure = accuracy_by_strength(table, "val", BLUE)
    assert len(figure.axes) == len(CORRUPTIONS)
    for axes, name in zip(figure.axes, CORRUPTIONS, strict=True):
        curve = [0.9, *table.loc[table["corruption"] == name, "accuracy"]]
        assert curve in [list(line.get_ydata()) for line in axes.lines]
        assert axes.get_xlabel() == CORRUPTIONS[name].measure
    said = texts(figure)
    assert all(text in said for text in [*CORRUPTIONS, "accuracy (%)", "val (n = 1,234"])
    assert_nothing_is_cut_off(figure)


def test_the_sheet_shows_each_corruption_of_the_picture():
    picture = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    figure = corruption_sheet(picture, 0)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    expected = [
        corrupted(picture[None], name, strength, 0)[0]
        for name in CORRUPTIONS
        for strength in (0, *STRENGTHS)
    ]
    np.testing.assert_array_equal(np.stack(shown), np.stack(expected))
    assert all(text in texts(figure) for text in ("none", "0.75", "16x16"))
    assert_nothing_is_cut_off(figure)
