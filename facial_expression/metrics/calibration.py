"""Calibration: is a probability of 0.8 right eight times in ten?  And the temperature that helps.

Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks" (ICML).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from facial_expression.metrics.scores import Labels, Probabilities, normalised, proper_scores

BINS = 15
BOUNDS = (0.05, 20.0)
"""Lowest and highest temperature."""

Binning = Literal["equal_width", "equal_mass"]
BINNINGS: tuple[Binning, ...] = get_args(Binning)


def with_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Probabilities (N, classes) after their logarithms were divided by `temperature` > 0.

    This is the same as dividing the logits of a softmax.  A temperature above 1 makes every row
    less sure; the order of the classes within a row stays.
    """
    return softmax(np.log(normalised(probabilities)) / temperature, axis=1)


def fit_temperature(labels: Labels, probabilities: Probabilities) -> float:
    """The temperature within `BOUNDS` that has the lowest log loss; 1.0 if none is better than 1.

    It is also 1.0 if all rows are right or all are wrong: the loss then has no minimum, and a few
    pictures would turn every probability into 0 or 1.

    Args:
        labels: int64 (N,), of pictures that the network was not trained on.
        probabilities: float (N, classes), rows sum to 1 up to rounding.
    """
    right = probabilities.argmax(axis=1) == labels
    if right.all() or not right.any():
        return 1.0
    logarithms = np.log(normalised(probabilities))
    rows = np.arange(len(labels))

    def loss(inverse: float) -> float:  # convex in 1 / temperature
        scaled = logarithms * inverse
        largest = scaled.max(axis=1)
        total = np.exp(scaled - largest[:, None]).sum(axis=1)
        return float((np.log(total) + largest - scaled[rows, labels]).mean())

    low, high = BOUNDS
    found = minimize_scalar(
        lambda power: loss(np.exp(power)),
        bounds=(-np.log(high), -np.log(low)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(np.exp(-found.x)) if found.fun < loss(1.0) else 1.0


def reliability(labels: Labels, probabilities: Probabilities, binning: Binning) -> pd.DataFrame:
    """Rows by their confidence, the predicted class's probability, in up to `BINS` bins.

    Args:
        labels: int64 (N,), the actual classes.
        probabilities: float (N, classes).
        binning: `equal_width` divides [0, 1] into equal parts; `equal_mass` divides at quantiles
            of the confidences, so that each bin holds about as many rows.  Equal confidences share
            a bin.

    Returns:
        Columns low and high (a bin is the interval (low, high]), n, confidence (its mean) and
        accuracy, by rising confidence; bins without a row are left out.
    """
    confidence = probabilities.max(axis=1)
    steps = np.linspace(0, 1, BINS + 1)
    edges = steps if binning == "equal_width" else np.quantile(confidence, steps)
    place = np.searchsorted(edges[1:-1], confidence)
    rows = pd.DataFrame(
        {"confidence": confidence, "accuracy": probabilities.argmax(axis=1) == labels}
    )
    bins = rows.groupby(place).agg(["size", "mean"])
    return pd.DataFrame(
        {
            "low": edges[bins.index],
            "high": edges[bins.index + 1],
            "n": bins["confidence", "size"],
            "confidence": bins["confidence", "mean"],
            "accuracy": bins["accuracy", "mean"],
        }
    )


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Mean distance between confidence and accuracy of `reliability`'s bins, by n; 0 to 1."""
    return float(np.average((bins["accuracy"] - bins["confidence"]).abs(), weights=bins["n"]))


def calibration_scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Log loss, Brier score, and the expected calibration error with either binning."""
    return proper_scores(labels, probabilities) | {
        f"ece_{binning}": expected_calibration_error(reliability(labels, probabilities, binning))
        for binning in BINNINGS
    }
