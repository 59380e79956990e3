"""Scores of class probabilities against labels; scikit-learn's and SciPy's where they have one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
)

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]
SMALLEST = 1e-15  # probabilities are clipped to it before their logarithm
TAILS = (0.025, 0.975)  # what a 95 % interval leaves out on either side


def headline(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """The scores that metrics.json reports for one split.

    Args:
        labels: int64 (N,), the actual classes.
        probabilities: float (N, classes), rows sum to 1 up to rounding.

    Returns:
        n, accuracy with its 95 % bootstrap interval, balanced accuracy (over the classes that
        occur), macro F1 (over all classes; one that never occurs counts 0), top-2 accuracy, and
        the two of `proper_scores`.
    """
    predicted = probabilities.argmax(axis=1)
    low, high = share_interval(int((predicted == labels).sum()), len(labels))
    return {
        "n": len(labels),
        "accuracy": float(accuracy_score(labels, predicted)),
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": float(
            recall_score(labels, predicted, labels=np.unique(labels), average="macro")
        ),
        "macro_f1": macro_f1(labels, predicted, probabilities.shape[1]),
        "top_2_accuracy": top_2_accuracy(labels, probabilities),
        **proper_scores(labels, probabilities),
    }


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """The 95 % percentile-bootstrap interval of the share hits / n.

    Of n rows drawn with replacement a Binomial(n, hits / n) number are hits, so the limit of ever
    more draws is known: that distribution's quantiles.
    """
    low, high = binom.ppf(TAILS, n, hits / n) / n
    return float(low), float(high)


def normalised(probabilities: Probabilities) -> Probabilities:
    """No probability below `SMALLEST`, and rows that sum to 1 in float64 (a model's do in float32).

    Shape (N, classes), as given.
    """
    clipped = np.clip(probabilities, SMALLEST, 1.0)
    return clipped / clipped.sum(axis=1, keepdims=True)


def proper_scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Log loss in nats, and Brier score (the original multi-class form, 0 to 2).

    Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    classes = np.arange(probabilities.shape[1])
    rows = normalised(probabilities)
    return {
        "log_loss": float(log_loss(labels, rows, labels=classes)),
        "brier": float(brier_score_loss(labels, rows, labels=classes, scale_by_half=False)),
    }


def top_2_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of rows whose label is among the two most probable classes; 1.0 with two classes.

    Of equally probable classes the first counts as the more probable, as in argmax; scikit-learn's
    `top_k_accuracy_score` takes the last, so that it can be below the accuracy.
    """
    return float(top_2_hits(labels, probabilities).mean())


def top_2_hits(labels: Labels, probabilities: Probabilities) -> NDArray[np.bool_]:
    """Which rows have their label among the two most probable classes, (N,)."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return (order[:, :2] == labels[:, None]).any(axis=1)


def macro_f1(labels: Labels, predicted: Labels, classes: int) -> float:
    """Mean F1 over all classes; one that never occurs counts 0."""
    return _mean_f1(labels, predicted, np.arange(classes))


def macro_f1_present(labels: Labels, predicted: Labels) -> float:
    """Mean F1 over the classes that occur in `labels`."""
    return _mean_f1(labels, predicted, np.unique(labels))


def _mean_f1(labels: Labels, predicted: Labels, over: Labels) -> float:
    return float(f1_score(labels, predicted, labels=over, average="macro", zero_division=0.0))


def per_class(
    labels: Labels, predicted: Labels, names: Sequence[str]
) -> list[tuple[str, float, float, float, int]]:
    """(class, precision, recall, F1, support) in the order of `names`; an empty ratio is 0."""
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(names)), zero_division=0.0
    )
    return [
        (name, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
        for i, name in enumerate(names)
    ]


def confused_pairs(
    labels: Labels, predicted: Labels, names: Sequence[str]
) -> list[tuple[str, str, int, float]]:
    """(actual, predicted, count, share of the actual class) of every kind of mistake made.

    The most frequent first; equally frequent ones in the order of `names`.
    """
    counts = confusion_matrix(labels, predicted, labels=np.arange(len(names)))
    support = counts.sum(axis=1)
    wrong = [pair for pair in zip(*np.nonzero(counts), strict=True) if pair[0] != pair[1]]
    wrong.sort(key=lambda pair: -counts[pair])  # stable
    return [
        (names[pair[0]], names[pair[1]], int(counts[pair]), float(counts[pair] / support[pair[0]]))
        for pair in wrong
    ]
