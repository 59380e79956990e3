from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.metrics.scores import risk_by_number, risk_coverage, selective_scores
from tests.metrics.cases import Case, cases


def answers(case: Case) -> list[tuple[float, bool]]:
    """(confidence, wrong) of each row."""
    return [
        (max(row), row.index(max(row)) != label)
        for row, label in zip(case[1].tolist(), case[0].tolist(), strict=True)
    ]


@given(cases(most=6))
def test_the_risk_is_the_mean_over_every_order_of_equally_sure_rows(case):
    orders = list(permutations(answers(case)))
    sums = np.zeros(len(case[0]))
    for order in orders:
        ranked = sorted(order, key=lambda row: -row[0])  # stable: ties stay in this order
        sums += [sum(wrong for _, wrong in ranked[:k]) / k for k in range(1, len(ranked) + 1)]
    risk, threshold = risk_by_number(*case)
    np.testing.assert_allclose(risk, sums / len(orders), atol=1e-12)
    assert threshold.tolist() == sorted((sure for sure, _ in answers(case)), reverse=True)


def test_five_answers_by_hand():
    """Surest first: right, right, wrong, right, wrong."""
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.55])
    found = selective_scores(np.array([0, 0, 1, 0, 1]), np.column_stack([sure, 1 - sure]))
    assert found["aurc"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert found["excess_aurc"] == pytest.approx(found["aurc"] - (1 / 4 + 2 / 5) / 5)
    assert found["accuracy_at_50"] == pytest.approx(2 / 3)  # 3 of 5 are at least half
    assert found["accuracy_at_80"] == pytest.approx(3 / 4)
    assert found["accuracy_at_90"] == pytest.approx(3 / 5)


@given(cases(), st.integers(1, 100))
def test_the_curve_is_a_thinned_one_that_ends_with_everything(case, points):
    curve = risk_coverage(*case, points)
    risk, threshold = risk_by_number(*case)
    n = len(risk)
    assert len(curve) == min(n, points)
    places = (curve["coverage"] * n).round().astype(int) - 1
    assert places.is_monotonic_increasing
    assert places.iloc[-1] == n - 1
    assert curve["risk"].tolist() == risk[places].tolist()
    assert curve["threshold"].tolist() == threshold[places].tolist()
