import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ttest_ind_from_stats

from tools.comparison import (
    Hits,
    accuracy_difference,
    macro_f1_difference,
    mcnemar,
    mean_difference,
)

Labels = NDArray[np.int64]
tables = st.builds(Hits, *[st.integers(0, 300)] * 4).filter(lambda hits: sum(hits) > 0)
scores = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=2, max_size=8)


@given(tables)
def test_the_interval_holds_the_difference_and_stays_within_bounds(hits):
    found = accuracy_difference(hits)
    assert found.value == pytest.approx((hits.only_b - hits.only_a) / sum(hits))
    assert -1 - 1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1 + 1e-9


@pytest.mark.parametrize(
    ("hits", "low", "high"),
    [
        # Altman et al., Statistics with Confidence (2000), table 6.2
        (Hits(14, 5, 0, 22), -0.226, -0.011),
        # Fagerland et al., Statistical Analysis of Contingency Tables (2017), Bentur's table
        (Hits(1, 1, 7, 12), 0.026, 0.507),
    ],
)
def test_published_intervals(hits, low, high):
    found = accuracy_difference(hits)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4))


@given(tables)
def test_mcnemar_sums_the_binomial_tails(hits):
    few, n = min(hits.only_a, hits.only_b), hits.only_a + hits.only_b
    tail = Fraction(sum(math.comb(n, k) for k in range(few + 1)), 2**n)
    assert mcnemar(hits) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-9)


def naive_f1(actual: Labels, predicted: Labels) -> float:
    """The macro F1 of three classes."""
    right = actual[actual == predicted]
    hits, *totals = (np.bincount(labels, minlength=3) for labels in (right, actual, predicted))
    return float((2 * hits / sum(totals)).mean())


def test_the_bootstrap_is_that_of_drawn_rows():
    """Against rows drawn with replacement, one draw at a time."""
    rng = np.random.default_rng(1)
    actual = rng.integers(0, 3, 120)
    a = np.where(rng.random(120) < 0.6, actual, rng.integers(0, 3, 120))
    b = np.where(rng.random(120) < 0.7, actual, rng.integers(0, 3, 120))
    differences = []
    for _ in range(800):
        rows = rng.integers(0, 120, 120)
        f1_a, f1_b = (naive_f1(actual[rows], run[rows]) for run in (a, b))
        differences.append(f1_b - f1_a)
    found = macro_f1_difference(actual, a, b, 3)
    assert macro_f1_difference(actual, a, b, 3) == found
    assert macro_f1_difference(actual, a, a, 3) == (0, 0, 0)
    assert found.value == pytest.approx(naive_f1(actual, b) - naive_f1(actual, a))
    low, high = np.quantile(differences, (0.025, 0.975))
    assert (found.low, found.high) == (
        pytest.approx(low, abs=0.015),
        pytest.approx(high, abs=0.015),
    )
    assert high - low > 0.15, "else the tolerance says nothing"


@pytest.mark.filterwarnings("error")
@given(scores, scores)
def test_welch_is_that_of_means_and_deviations_or_exact_where_nothing_varies(a, b):
    found, p = mean_difference(a, b)
    assert found.value == pytest.approx(sum(b) / len(b) - sum(a) / len(a), abs=1e-12)
    if len(set(a)) == len(set(b)) == 1:
        assert found.low == found.high == found.value
        assert p == float(a[0] == b[0])
        return
    facts = [part for x in (b, a) for part in (np.mean(x), np.std(x, ddof=1), len(x))]
    assert p == pytest.approx(ttest_ind_from_stats(*facts, equal_var=False).pvalue)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert (found.low <= 0 <= found.high) == (p >= 0.05)
