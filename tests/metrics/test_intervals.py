import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.metrics.intervals import intervals, resampled
from facial_expression.metrics.scores import headline, share_interval
from tests.metrics.cases import calibrated, cases

SCORES = ["accuracy", "balanced_accuracy", "macro_f1", "top_2_accuracy", "log_loss", "brier"]


@pytest.mark.filterwarnings("error")
@settings(max_examples=40)
@given(cases(), st.integers(0, 2**32), st.integers(1, 6))
def test_every_draw_is_the_score_of_the_rows_drawn(case, seed, draws):
    """Against scoring each sample of rows from scratch."""
    labels, probabilities = case
    found = resampled(labels, probabilities, draws, seed)
    assert list(found) == SCORES
    rng = np.random.default_rng(seed)
    for draw in range(draws):
        rows = rng.integers(0, len(labels), len(labels))
        expected = headline(labels[rows], probabilities[rows])
        for name in SCORES:
            assert found[name][draw] == pytest.approx(expected[name], rel=1e-6, abs=1e-9), name


def test_95_of_100_intervals_hold_the_truth():
    """100 samples of 250 rows from a known source; percentile intervals are a little short."""
    classes, repeats = 4, 100
    truth = headline(*calibrated(100_000, classes, seed=99))
    held = dict.fromkeys(SCORES, 0)
    for repeat in range(repeats):
        labels, probabilities = calibrated(250, classes, seed=1000 + repeat)
        hits = int((probabilities.argmax(axis=1) == labels).sum())
        low, high = share_interval(hits, 250)
        found = intervals(labels, probabilities, draws=300, seed=repeat)
        found |= {"accuracy_low": low, "accuracy_high": high}
        for name in SCORES:
            held[name] += found[f"{name}_low"] <= truth[name] <= found[f"{name}_high"]
    assert all(86 <= count < repeats for count in held.values()), held
