import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from facial_expression.metrics.calibration import (
    BINNINGS,
    BINS,
    BOUNDS,
    Binning,
    calibration_scores,
    expected_calibration_error,
    fit_temperature,
    reliability,
    with_temperature,
)
from facial_expression.metrics.scores import headline
from tests.metrics.cases import Case, calibrated, cases, sharpened

binnings = st.sampled_from(BINNINGS)


def error(case: Case, binning: Binning) -> float:
    return expected_calibration_error(reliability(*case, binning))


def logits_of(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(probabilities, 1e-15))


def loss(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    return headline(labels, probabilities)["log_loss"]


@pytest.mark.parametrize("scale", [0.2, 20, 300])
def test_the_temperature_follows_the_scale_of_the_logits(scale):
    """Also where probabilities are 0 and 1."""
    labels, truth = calibrated(2_000, 5, seed=1)
    logits = logits_of(truth)
    expected = scale * fit_temperature(labels, logits)
    assert fit_temperature(labels, scale * logits) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_a_known_sharpening_is_recovered(factor):
    """Labels drawn from p, predictions p ** factor: dividing logarithms by `factor` gives p."""
    labels, truth = calibrated(20_000, 7, seed=0)
    sharp = sharpened(truth, factor)
    temperature = fit_temperature(labels, logits_of(sharp))
    assert temperature == pytest.approx(factor, rel=0.03)
    before = calibration_scores(labels, sharp)
    after = calibration_scores(labels, with_temperature(logits_of(sharp), temperature))
    for binning in BINNINGS:
        assert after[f"ece_{binning}"] < 0.015
        assert factor == 1 or before[f"ece_{binning}"] > 0.06
    assert factor == 1 or after["log_loss"] < before["log_loss"]
    assert factor == 1 or after["brier"] < before["brier"]
    assert before["log_loss"] == loss(labels, sharp)


@given(cases())
def test_the_fitted_temperature_never_raises_the_loss(case):
    labels, probabilities = case
    temperature = fit_temperature(labels, logits_of(probabilities))
    assert BOUNDS[0] <= temperature <= BOUNDS[1]
    after = loss(labels, with_temperature(logits_of(probabilities), temperature))
    assert after <= loss(labels, probabilities) + 1e-9


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]], ids=["all right", "all wrong"])
def test_without_a_best_temperature_it_is_one(labels):
    assert fit_temperature(np.array(labels), logits_of(np.array([[0.6, 0.4]] * 2))) == 1.0
    assert fit_temperature(np.array(labels), np.zeros((2, 2))) == 1.0, "none matters"


@given(cases(), binnings)
def test_bins_hold_the_rows_of_their_interval(case, binning):
    labels, probabilities = case
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    found = reliability(labels, probabilities, binning)
    assert found["n"].sum() == len(labels)
    total = 0.0
    for place, part in enumerate(found.itertuples()):
        within = (confidence <= part.high) & ((confidence > part.low) | (place == 0))
        assert part.n == within.sum()
        assert part.confidence == pytest.approx(confidence[within].mean())
        assert part.accuracy == pytest.approx(right[within].mean())
        total += abs(float(confidence[within].sum() - right[within].sum())) / len(labels)
    assert expected_calibration_error(found) == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(
    ("binning", "strategy"), [("equal_width", "uniform"), ("equal_mass", "quantile")]
)
def test_bins_are_scikit_learn_s(binning, strategy):
    labels, probabilities = calibrated(500, 6, seed=5)
    right = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(
        right, probabilities.max(axis=1), n_bins=BINS, strategy=strategy
    )
    found = reliability(labels, probabilities, binning)
    np.testing.assert_allclose(found["accuracy"], accuracy)
    np.testing.assert_allclose(found["confidence"], confidence)
    assert binning == "equal_width" or set(found["n"]) <= {33, 34}


@given(cases(), binnings, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(case, binning, random):
    labels, probabilities = case
    order = list(range(len(labels)))
    random.shuffle(order)
    shuffled = labels[order], probabilities[order]
    assert error(shuffled, binning) == pytest.approx(error(case, binning), abs=1e-9)
    fitted = [fit_temperature(labels, logits_of(rows)) for labels, rows in (shuffled, case)]
    assert fitted[0] == pytest.approx(fitted[1], rel=1e-3)
