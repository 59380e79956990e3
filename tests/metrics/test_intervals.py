import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap
from sklearn.metrics import f1_score

from facial_expression.metrics import intervals as module
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


def test_the_size_of_the_pieces_changes_nothing(monkeypatch):
    case = calibrated(31, 5, seed=3)
    whole = resampled(*case, 50, 7)
    monkeypatch.setattr(module, "CHUNK", 31 * 8)
    for name, values in resampled(*case, 50, 7).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12, err_msg=name)


def test_it_agrees_with_scipy_s_bootstrap():
    labels, probabilities = calibrated(300, 4, seed=1)
    predicted = probabilities.argmax(axis=1)
    picked = -np.log(probabilities[np.arange(300), labels])
    found = intervals(labels, probabilities)

    def macro_f1(actual: np.ndarray, guess: np.ndarray) -> float:
        return float(f1_score(actual, guess, labels=range(4), average="macro", zero_division=0.0))

    options = {"method": "percentile", "rng": np.random.default_rng(2)}
    loss = bootstrap((picked,), np.mean, n_resamples=10_000, **options)
    both = bootstrap(
        (labels, predicted), macro_f1, n_resamples=400, paired=True, vectorized=False, **options
    )
    for name, theirs, near in (("log_loss", loss, 0.05), ("macro_f1", both, 0.15)):
        low, high = theirs.confidence_interval
        width = high - low
        assert found[f"{name}_low"] == pytest.approx(low, abs=near * width), name
        assert found[f"{name}_high"] == pytest.approx(high, abs=near * width), name


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
