from __future__ import annotations

from itertools import permutations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.metrics.selective import (
    best_risk,
    risk_by_number,
    risk_coverage,
    selective_scores,
)
from tests.metrics.cases import Case, calibrated, cases


def answers(case: Case) -> list[tuple[float, bool]]:
    """(confidence, wrong) of each row."""
    return [
        (max(row), row.index(max(row)) != label)
        for row, label in zip(case[1].tolist(), case[0].tolist(), strict=True)
    ]


@given(cases(most=6))
def test_the_risk_is_the_mean_over_every_order_of_equally_sure_rows(case: Case) -> None:
    orders = list(permutations(answers(case)))
    sums = np.zeros(len(case[0]))
    for order in orders:
        ranked = sorted(order, key=lambda row: -row[0])  # stable: ties stay in this order
        sums += [sum(wrong for _, wrong in ranked[:k]) / k for k in range(1, len(ranked) + 1)]
    np.testing.assert_allclose(risk_by_number(*case)[0], sums / len(orders), atol=1e-12)


@given(cases())
def test_the_threshold_is_the_confidence_of_the_last_one_answered(case: Case) -> None:
    expected = sorted((confidence for confidence, _ in answers(case)), reverse=True)
    assert risk_by_number(*case)[1].tolist() == expected


@given(cases())
def test_the_area_is_the_mean_over_a_loop(case: Case) -> None:
    """Where rows are as sure, each is charged their mean risk, as all orders together do."""
    rows = answers(case)
    charged = []
    for confidence, _ in sorted(rows, reverse=True):
        tied = [wrong for other, wrong in rows if other == confidence]
        charged.append(sum(tied) / len(tied))
    area = sum(sum(charged[:k]) / k for k in range(1, len(rows) + 1)) / len(rows)
    found = selective_scores(*case)
    assert found["aurc"] == pytest.approx(area, abs=1e-12)
    oracle = sorted(wrong for _, wrong in rows)
    best = sum(sum(oracle[:k]) / k for k in range(1, len(rows) + 1)) / len(rows)
    assert found["excess_aurc"] == pytest.approx(area - best, abs=1e-12)


@given(cases())
def test_scores_keep_their_ranges(case: Case) -> None:
    found = selective_scores(*case)
    assert 0 <= found["aurc"] <= 1
    assert -1e-12 <= found["excess_aurc"] <= found["aurc"] + 1e-12
    assert all(0 <= found[f"accuracy_at_{percent}"] <= 1 for percent in (50, 80, 90))


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(case: Case, random: Random) -> None:
    labels, probabilities = case
    order = list(range(len(labels)))
    random.shuffle(order)
    shuffled = labels[order], probabilities[order]
    assert selective_scores(*shuffled) == pytest.approx(selective_scores(*case), abs=1e-12)


def test_five_answers_by_hand() -> None:
    """Surest first: right, right, wrong, right, wrong."""
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.55])
    case = np.array([0, 0, 1, 0, 1]), np.column_stack([sure, 1 - sure])
    found = selective_scores(*case)
    assert found["aurc"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert found["excess_aurc"] == pytest.approx(found["aurc"] - (1 / 4 + 2 / 5) / 5)
    assert found["accuracy_at_50"] == pytest.approx(2 / 3)  # 3 of 5 are at least half
    assert found["accuracy_at_80"] == pytest.approx(3 / 4)
    assert found["accuracy_at_90"] == pytest.approx(3 / 5)


def test_mistakes_that_are_the_least_sure_have_no_excess() -> None:
    sure = np.array([0.9, 0.8, 0.7, 0.6])
    case = np.array([0, 0, 1, 1]), np.column_stack([sure, 1 - sure])
    assert selective_scores(*case)["excess_aurc"] == pytest.approx(0, abs=1e-15)
    np.testing.assert_allclose(best_risk(4, 0.5), [0, 0, 1 / 3, 1 / 2])


def test_confidence_that_says_nothing_has_the_error_rate_as_its_area() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    case = labels, np.tile([0.6, 0.4], (5, 1))
    assert selective_scores(*case)["aurc"] == pytest.approx(0.6)


@given(cases(), st.integers(1, 100))
def test_the_curve_is_a_thinned_one_that_ends_with_everything(case: Case, points: int) -> None:
    curve = risk_coverage(*case, points)
    risk, threshold = risk_by_number(*case)
    n = len(risk)
    assert len(curve) == min(n, points)
    coverage = [at for at, _, _ in curve]
    assert coverage == sorted(set(coverage))
    assert curve[-1] == (1.0, risk[-1], threshold[-1])
    for at, share, limit in curve:
        assert (share, limit) == (risk[round(at * n) - 1], threshold[round(at * n) - 1])


def test_a_hundred_points_stand_at_whole_percents() -> None:
    curve = risk_coverage(*calibrated(1000, 4, seed=0))
    assert [at for at, _, _ in curve] == pytest.approx([k / 100 for k in range(1, 101)])
