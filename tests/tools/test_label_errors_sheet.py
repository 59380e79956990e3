from __future__ import annotations

import numpy as np
import pytest

from facial_expression.plot.style import png
from tests.plot.test_figures import AWKWARD, SEVEN, assert_nothing_is_cut_off, texts
from tools.label_errors.sheet import suspect_sheet


def sheet(classes, count, total=1234):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(len(classes)), count)
    images = rng.integers(0, 256, (count, 12, 12), dtype=np.uint8)
    labels = probabilities.argmin(axis=1)
    suggested = probabilities.argmax(axis=1)
    figure = suspect_sheet(classes, images, labels, suggested, probabilities, total)
    return figure, images, labels, suggested, probabilities


@pytest.mark.parametrize("classes", [["no", "yes"], SEVEN, AWKWARD], ids=["two", "seven", "twelve"])
@pytest.mark.parametrize("count", [1, 7, 25])
def test_every_suspect_stands_with_label_and_suggestion(classes, count):
    figure, images, labels, suggested, probabilities = sheet(classes, count)
    said = texts(figure).split("\n")
    assert f"Suspected label errors: the {count} most suspect of 1,234" in said
    for row in range(count):
        (first,) = [text for text in said if text.startswith(f"{row + 1}. ")]
        name, share = classes[labels[row]], 100 * probabilities[row, labels[row]]
        assert first.startswith(f"{row + 1}. {name[:13]}")
        assert first.endswith(f" {share:.0f} %")
        assert any(text.startswith(classes[suggested[row]][:13]) for text in said)
        assert (np.asarray(figure.axes[0].images[row].get_array()) == images[row]).all()
    assert_nothing_is_cut_off(figure)


def test_a_sheet_of_no_suspect_says_so():
    figure = sheet(SEVEN, 0, total=0)[0]
    assert "none" in texts(figure)
    assert_nothing_is_cut_off(figure)


def test_the_same_suspects_give_the_same_bytes():
    assert png(sheet(SEVEN, 3)[0], 80) == png(sheet(SEVEN, 3)[0], 80)
