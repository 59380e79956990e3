"""Calibration: is a probability of 0.8 right eight times in ten?  And the temperature that helps.

Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks" (ICML).  Temperatures
apply to logits, as in the exported network: float64 (N, classes), in nats, whatever their range.
"""

from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from facial_expression.metrics.scores import Labels, Probabilities, proper_scores

BINS = 15
BOUNDS = (0.05, 1000.0)  # lowest and highest temperature

Logits = NDArray[np.float64]
Binning = Literal["equal_width", "equal_mass"]
BINNINGS: tuple[Binning, ...] = get_args(Binning)


def with_temperature(logits: Logits, temperature: float) -> Probabilities:
    """The softmax of the logits divided by `temperature` > 0; above 1 it makes rows less sure."""
    return softmax(logits / temperature, axis=1)


def fit_temperature(labels: Labels, logits: Logits) -> float:
    """The temperature within `BOUNDS` that has the lowest log loss; 1.0 if none is better than 1.

    `labels`, int64 (N,), are of pictures that the network was not trained on.  If all rows are
    right or all are wrong it is 1.0 as well: the loss then has no minimum, and a few pictures would
    turn every probability into 0 or 1.
    """
    right = logits.argmax(axis=1) == labels
    if right.all() or not right.any():
        return 1.0
    rows = np.arange(len(labels))

    def loss(power: float) -> float:  # of the temperature exp(-power)
        return float(-log_softmax(logits * np.exp(power), axis=1)[rows, labels].mean())

    bounds = -np.log(BOUNDS[::-1])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    return float(np.exp(-found.x)) if found.fun < loss(0.0) else 1.0


def reliability(labels: Labels, probabilities: Probabilities, binning: Binning) -> pd.DataFrame:
    """Rows by their confidence, the predicted class's probability, in up to `BINS` bins.

    `equal_width` divides [0, 1] into equal parts; `equal_mass` divides at quantiles of the
    confidences, so that each bin holds about as many rows.  Equal confidences share a bin.  Columns
    low and high (a bin is the interval (low, high]), n, confidence (its mean) and accuracy, by
    rising confidence; bins without a row are left out.
    """
    confidence = probabilities.max(axis=1)
    steps = np.linspace(0, 1, BINS + 1)
    edges = steps if binning == "equal_width" else np.quantile(confidence, steps)
    place = np.searchsorted(edges[1:-1], confidence)
    right = probabilities.argmax(axis=1) == labels
    bins = pd.DataFrame({"confidence": confidence, "accuracy": right}).groupby(place)
    table = bins.mean()
    table.insert(0, "n", bins.size())
    table.insert(0, "high", edges[table.index + 1])
    table.insert(0, "low", edges[table.index])
    return table


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Mean distance between confidence and accuracy of `reliability`'s bins, by n; 0 to 1."""
    return float(np.average((bins["accuracy"] - bins["confidence"]).abs(), weights=bins["n"]))


def calibration_scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Log loss, Brier score, and the expected calibration error with either binning."""
    return proper_scores(labels, probabilities) | {
        f"ece_{binning}": expected_calibration_error(reliability(labels, probabilities, binning))
        for binning in BINNINGS
    }
