from __future__ import annotations

import numpy as np
import pandas as pd

from tests.plot.test_figures import BLUE, assert_nothing_is_cut_off, texts
from tools.robustness.corruptions import CORRUPTIONS, STRENGTHS
from tools.robustness.figure import accuracy_by_strength


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
