"""Selective prediction: the error rate of a network that answers only when it is sure.

Geifman & El-Yaniv 2017, "Selective classification for deep neural networks" (NeurIPS).  Area under
the curve and its excess: Geifman, Uziel & El-Yaniv 2019, "Bias-reduced uncertainty estimation for
deep neural classifiers" (ICLR).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facial_expression.metrics.scores import Labels, Probabilities

Floats = NDArray[np.float64]


def risk_by_number(labels: Labels, probabilities: Probabilities) -> tuple[Floats, Floats]:
    """Error rate among the k surest answers, k = 1 ... N, and the confidence of the k-th.

    Confidence is the predicted class's probability.  For equally sure rows the risk is the mean
    over all their orders, so it does not depend on the order of the rows.

    Returns:
        risk and threshold, both float64 (N,).  Answering when the confidence is at least
        threshold[k - 1] answers k rows, or more if several are equally sure.
    """
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != labels
    order = np.argsort(-confidence, kind="stable")
    threshold = confidence[order]
    _, group, size = np.unique(-threshold, return_inverse=True, return_counts=True)
    share = np.bincount(group, weights=wrong[order]) / size  # of each group of equally sure rows
    return np.cumsum(share[group]) / np.arange(1, len(order) + 1), threshold


def selective_scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Area under the risk-coverage curve, its excess, and the accuracy of the surest answers.

    The area is the mean risk over all coverages; lower is better, and refusing at random gives the
    error rate.  `excess_aurc` is its distance from an order that refuses every mistake first.
    """
    risk, _ = risk_by_number(labels, probabilities)
    n = len(risk)
    area = float(risk.mean())
    scores = {"aurc": area, "excess_aurc": area - float(best_risk(n, float(risk[-1])).mean())}
    for percent in (50, 80, 90):
        scores[f"accuracy_at_{percent}"] = 1 - float(risk[-(-n * percent // 100) - 1])
    return scores


def best_risk(n: int, error: float) -> Floats:
    """Risk at k = 1 ... n if every mistake is answered last; `error` is the share of mistakes."""
    answered = np.arange(1, n + 1)
    return np.maximum(0, answered - round(n * (1 - error))) / answered


def risk_coverage(labels: Labels, probabilities: Probabilities, points: int = 100) -> pd.DataFrame:
    """Columns coverage, risk, threshold at up to `points` coverages, evenly up to 1."""
    risk, threshold = risk_by_number(labels, probabilities)
    n = len(risk)
    numbers = np.unique(-(-n * np.arange(1, points + 1) // points))
    return pd.DataFrame(
        {"coverage": numbers / n, "risk": risk[numbers - 1], "threshold": threshold[numbers - 1]}
    )
