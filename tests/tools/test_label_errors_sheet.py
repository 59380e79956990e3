from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.plot.test_figures import AWKWARD, SEVEN, assert_nothing_is_cut_off, texts
from tools.label_errors.sheet import suspect_sheet


@pytest.mark.parametrize(("classes", "count"), [(["no", "yes"], 1), (SEVEN, 7), (AWKWARD, 25)])
def test_every_suspect_stands_with_label_and_suggestion(classes, count):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 12, 12), dtype=np.uint8)
    label, suggested = (rng.choice(classes, count) for _ in range(2))
    said = {"label": label, "suggested": suggested, "self_confidence": 0.25, "margin": -0.5}
    figure = suspect_sheet(pd.DataFrame(said), images, 1234)
    shown = texts(figure).split("\n")
    assert f"Suspected label errors: the {count} most suspect of 1,234" in shown
    for row in range(count):
        (first,) = [text for text in shown if text.startswith(f"{row + 1}. {label[row][:13]}")]
        assert first.endswith(" 25 %")
        assert any(
            text.startswith(suggested[row][:13]) and text.endswith(" 75 %") for text in shown
        )
        np.testing.assert_array_equal(figure.axes[0].images[row].get_array(), images[row])
    assert_nothing_is_cut_off(figure)


def test_a_sheet_of_no_suspect_says_so():
    empty = pd.DataFrame(columns=["label", "suggested", "self_confidence", "margin"])
    figure = suspect_sheet(empty, np.zeros((0, 8, 8), np.uint8), 0)
    assert "none" in texts(figure)
    assert_nothing_is_cut_off(figure)
