"""Whether a probability of 0.8 is right eight times in ten, and the temperature that helps.

Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks" (ICML).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from facial_expression.metrics.scores import Labels, Probabilities, normalised, proper_scores

BINS = 15
BOUNDS = (0.05, 20.0)  # of the temperature

Binning = Literal["equal_width", "equal_mass"]
BINNINGS: tuple[Binning, ...] = get_args(Binning)


class Bin(NamedTuple):
    """Rows whose confidence is in (low, high]: how many, how sure on average, how often right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def with_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Probabilities (N, classes) after their logarithms were divided by `temperature` > 0.

    The same as dividing the logits of a softmax by it.  Above 1 the rows grow less sure; the order
    of the classes within a row stays.
    """
    return softmax(np.log(normalised(probabilities)) / temperature, axis=1)


def fit_temperature(labels: Labels, probabilities: Probabilities) -> float:
    """The temperature within `BOUNDS` of the lowest log loss; 1.0 where none is better than 1.

    It is 1.0 as well where all rows are right, or all wrong: the loss then has no minimum, and a
    handful of pictures would make every probability 0 or 1.

    Args:
        labels: int64 (N,), of pictures that the network was not fitted to.
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


def reliability(labels: Labels, probabilities: Probabilities, binning: Binning) -> list[Bin]:
    """The bins that hold a row, by rising confidence (the predicted class's probability).

    `equal_width`: the 15th parts of [0, 1].  `equal_mass`: between 15-quantiles of the confidences,
    so that each bin holds about as many rows; equal confidences share a bin, whatever their order.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    steps = np.linspace(0, 1, BINS + 1)
    edges = steps if binning == "equal_width" else np.quantile(confidence, steps)
    place = np.searchsorted(edges[1:-1], confidence)  # (low, high]
    table = []
    for index in np.unique(place):
        inside = place == index
        table.append(
            Bin(
                float(edges[index]),
                float(edges[index + 1]),
                int(inside.sum()),
                float(confidence[inside].mean()),
                float(right[inside].mean()),
            )
        )
    return table


def expected_calibration_error(table: Sequence[Bin]) -> float:
    """Mean distance between confidence and accuracy, each bin counted by its rows; 0 to 1."""
    total = sum(part.n for part in table)
    return sum(part.n * abs(part.accuracy - part.confidence) for part in table) / total


def calibration_scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Log loss, Brier score, and the expected calibration error by either binning."""
    return proper_scores(labels, probabilities) | {
        f"ece_{binning}": expected_calibration_error(reliability(labels, probabilities, binning))
        for binning in BINNINGS
    }
