from __future__ import annotations

import numpy as np
import pytest

from facial_expression.plot.confidence import reliability, risk_coverage
from facial_expression.plot.tables import RELIABILITY, Bins
from tests.plot.test_figures import BLUE, assert_nothing_is_cut_off, grey, texts


def bins(temperature: float, *rows: tuple[float, ...]) -> Bins:
    return Bins(temperature, *np.array(rows).T)


@pytest.fixture
def groups() -> dict[tuple[str, str], Bins]:
    before = bins(1.0, (0.4, 0.6, 30, 0.5, 0.4), (0.8, 1.0, 10, 0.9, 0.5))
    after = bins(1.75, (0.2, 0.4, 40, 0.35, 0.36))
    return {key: before if key[0] == "before" else after for key in RELIABILITY}


def test_reliability_draws_every_bin_before_and_after(groups):
    figure = reliability(groups, "test", BLUE)
    left, right, beneath, _ = figure.axes
    assert [(bar.get_x(), bar.get_height()) for bar in left.patches] == [(0.4, 0.4), (0.8, 0.5)]
    assert [bar.get_width() for bar in left.patches] == pytest.approx([0.2, 0.2])
    assert [bar.get_height() for bar in right.patches] == [0.36]
    assert [bar.get_height() for bar in beneath.patches] == [0.75, 0.25]
    diagonal, marks = left.get_lines()
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
    assert list(marks.get_xdata()) == [0.5, 0.9]
    assert list(marks.get_ydata()) == [0.4, 0.5]


def test_reliability_says_its_errors_and_the_temperature(groups):
    figure = reliability(groups, "test", BLUE)
    said = texts(figure)
    assert "Reliability on test (n = 40)" in said
    assert "Before: temperature 1.000\ncalibration error 17.5 %" in said  # (30 * .1 + 10 * .4) / 40
    assert "After: temperature 1.750\ncalibration error 1.0 %" in said
    assert_nothing_is_cut_off(figure)


def test_risk_coverage_draws_the_curve_between_the_best_and_a_random_order():
    coverage, risk = [0.25, 0.5, 0.75, 1.0], [0.0, 0.1, 0.2, 0.3]
    figure = risk_coverage(coverage, risk, 40, "val", BLUE)
    (axes,) = figure.axes
    chance, curve, best, *_ = axes.get_lines()
    assert set(chance.get_ydata()) == {0.3}
    assert list(curve.get_xdata()) == coverage
    assert list(curve.get_ydata()) == risk
    assert best.get_ydata()[-1] == pytest.approx(0.3)
    assert best.get_ydata()[500] == 0.0, "70 % can be answered without a mistake"
    assert len({line.get_linestyle() for line in (chance, curve, best)}) == 3
    said = texts(figure)
    assert "on val (n = 40)" in said
    assert {"10.0 %", "30.0 %"} <= set(said.split("\n"))
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize(("coverage", "risk"), [([1.0], [1.0]), ([0.5, 1.0], [0.0, 0.0])])
def test_a_single_picture_and_a_perfect_network_can_be_drawn(coverage, risk):
    assert_nothing_is_cut_off(risk_coverage(coverage, risk, len(risk), "test", BLUE))


def test_bars_and_marks_differ_without_hue(groups):
    axes = reliability(groups, "val", BLUE).axes[0]
    ink, fill = axes.get_lines()[1].get_color(), axes.patches[0].get_facecolor()
    assert grey(ink) + 0.3 < grey(fill[:3])
