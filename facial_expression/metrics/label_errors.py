"""Suspected label errors by confident learning.  Labels and probabilities -> ranked suspects.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
arXiv:1911.00068.  Of the paper's ways to use the joint this is *prune by noise rate*, ranked by
normalised margin: it takes as many pictures out of each off-diagonal cell of the joint as the joint
says are wrong there, those with the largest margin first, so that a pair of classes that is often
confused (fear and sad) gets its share and a clean class (happy) is left alone; prune by class, the
alternative, looks at the label's own probability only and cannot say what the label should be.

The probabilities must be out of fold: no network may have been fitted on the picture that it
judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]
ROUNDING = 1e-6  # probabilities come from float32: so much below a threshold still reaches it


def thresholds(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """t_j, the mean probability of class j over the pictures labelled j (the paper's equation 2).

    Args:
        labels: int64 (N,), as given.
        probabilities: float64 (N, K), rows sum to 1 up to rounding.

    Returns:
        float64 (K,) in [0, 1]; infinite for a class that labels nothing, so that none reaches it.
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=own, minlength=classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def confident_joint(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """C, int64 (K, K): pictures labelled i that confidently belong to class j (equation 1).

    A picture belongs to the most probable of the classes whose threshold its probability reaches;
    one that reaches none is not counted.  Equally probable ones: the first.
    """
    classes = probabilities.shape[1]
    reached = probabilities >= thresholds(labels, probabilities) - ROUNDING
    believed = np.where(reached, probabilities, -1.0).argmax(axis=1)
    counted = reached.any(axis=1)
    cells = labels[counted] * classes + believed[counted]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def estimated_joint(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Q, float64 (K, K): share of pictures labelled i whose true class is j; all cells sum to 1.

    Equation 3: the confident joint, its rows scaled to the number of pictures with each label.  A
    label of which no picture was counted is taken to be right.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    counted = confident_joint(labels, probabilities)
    rows = counted.sum(axis=1)
    shares = np.where(rows[:, None] > 0, counted / np.maximum(rows, 1)[:, None], np.eye(len(rows)))
    return shares * counts[:, None] / len(labels)


def noise_rates(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each label that is wrong, P(true class is another | label), float64 (K,) in [0, 1].

    0 for a class that labels nothing.
    """
    rows = joint.sum(axis=1)
    wrong = rows - joint.diagonal()
    return np.divide(wrong, rows, out=np.zeros_like(rows), where=rows > 0)


def suggestions(labels: Labels, probabilities: Probabilities) -> Labels:
    """The most probable class other than the label, int64 (N,); equally probable ones: the first.

    `probabilities` must have at least two columns.
    """
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1.0
    return others.argmax(axis=1)


def normalised_margins(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Probability of the label less that of the suggestion, float64 (N,) in [-1, 1].

    Below 0 the network prefers another class; -1 is as wrong as a label can look.
    """
    rows = np.arange(len(labels))
    return probabilities[rows, labels] - probabilities[rows, suggestions(labels, probabilities)]


def suspects(
    labels: Labels, probabilities: Probabilities, joint: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Rows whose label is suspected to be wrong, the most suspect (lowest margin) first.

    Prune by noise rate: from each cell (i, j) off the diagonal the
    N * Q[i, j] (rounded) rows labelled i with the largest p_j - p_i.  Like cleanlab, and unlike the
    paper, rows whose label is the most probable class are left out: nothing else could be suggested
    for them.  Equal margins: in row order.

    Args:
        labels: int64 (N,).
        probabilities: float64 (N, K), out of fold.
        joint: float64 (K, K) of `estimated_joint`.
    """
    chosen = np.zeros(len(labels), bool)
    wanted = np.rint(len(labels) * joint).astype(np.int64)
    np.fill_diagonal(wanted, 0)
    for label, other in np.argwhere(wanted):
        rows = np.flatnonzero(labels == label)
        margins = probabilities[rows, other] - probabilities[rows, label]
        chosen[rows[np.argsort(-margins, kind="stable")][: wanted[label, other]]] = True
    margins = normalised_margins(labels, probabilities)
    rows = np.flatnonzero(chosen & (margins < 0))
    return rows[np.argsort(margins[rows], kind="stable")]


def summary(labels: Labels, probabilities: Probabilities, classes: Sequence[str]) -> dict[str, Any]:
    """The counts of label_errors.json by class name; a joint is nested by label, then true class.

    The threshold of a class that labels nothing is told as 1.
    """
    joint = estimated_joint(labels, probabilities)
    counted = confident_joint(labels, probabilities)

    def by_class(values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(classes, values, strict=True))

    return {
        "pictures": len(labels),
        "suspects": len(suspects(labels, probabilities, joint)),
        "estimated_errors": float(len(labels) * (1 - joint.trace())),
        "noise_rate": float(1 - joint.trace()),
        "noise_rate_by_label": by_class(noise_rates(joint).tolist()),
        "out_of_fold_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "thresholds": by_class(np.minimum(thresholds(labels, probabilities), 1.0).tolist()),
        "confident_joint": by_class([by_class(row) for row in counted.tolist()]),
        "estimated_joint": by_class([by_class(row) for row in joint.tolist()]),
    }
