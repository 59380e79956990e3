"""Suspected label errors by confident learning.  Labels and probabilities -> ranked suspects.

The method of Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in
Dataset Labels", arXiv:1911.00068, as its authors' library cleanlab computes it.  Of the paper's
ways to use the joint this is *prune by noise rate*, ranked by normalised margin: it takes as many
pictures out of each off-diagonal cell of the joint as the joint says are wrong there, those with
the largest margin first, so that a pair of classes that is often confused (fear and sad) gets its
share and a clean class (happy) is left alone.

The probabilities must be out of fold: no network may have been fitted on the picture that it
judges.  cleanlab is imported inside the functions because it loads pandas, which is slow.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]


def confident_joint(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """C, int64 (K, K): pictures labelled i that confidently belong to class j (equation 1).

    A picture belongs to the class whose threshold (`summary`) its probability reaches.  Where
    several are reached cleanlab takes the most probable class of all, the paper that of those
    reached; and cleanlab counts at least one right picture of every class, even of one that labels
    nothing.

    Args:
        labels: int64 (N,), as given.
        probabilities: float64 (N, K), rows sum to 1 up to rounding.
    """
    from cleanlab.count import compute_confident_joint

    return compute_confident_joint(labels, probabilities, calibrate=False)


def estimated_joint(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Q, float64 (K, K): share of pictures labelled i whose true class is j; all cells sum to 1.

    Equation 3: the confident joint, its rows scaled to the number of pictures with each label and
    rounded to whole pictures.
    """
    from cleanlab.count import estimate_joint

    return estimate_joint(labels, probabilities)


def noise_rates(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each label that is wrong, P(true class is another | label), float64 (K,) in [0, 1].

    0 for a class that labels nothing.
    """
    rows = joint.sum(axis=1)
    wrong = rows - joint.diagonal()
    return np.divide(wrong, rows, out=np.zeros_like(rows), where=rows > 0)


def suspects(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """Rows whose label is suspected to be wrong, most suspect first, int64 (suspects,).

    Each one's most probable class is another than its label: that is the suggestion.  The margin,
    probability of the label less that of the suggestion, is below 0 and ascends; equal ones
    (duplicates) stand in row order.  The only picture of a class is never suspected.

    Args:
        labels: int64 (N,), of two classes or more.
        probabilities: float64 (N, K), out of fold.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    with warnings.catch_warnings():
        # one for each class of no or one picture, of which nothing can be suspected
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        suspected = find_label_issues(
            labels, probabilities, filter_by="prune_by_noise_rate", n_jobs=1
        )
    rows = np.flatnonzero(suspected)
    scores = get_label_quality_scores(labels, probabilities, method="normalized_margin")[rows]
    # `return_indices_ranked_by` does the same, but its sort is not stable
    return rows[np.argsort(scores, kind="stable")]


def summary(labels: Labels, probabilities: Probabilities, classes: Sequence[str]) -> dict[str, Any]:
    """The counts of label_errors.json by class name; a joint is nested by label, then true class.

    A class's threshold is its mean probability over the pictures labelled so (equation 2); 1 is
    told for a class that labels nothing, which no picture reaches.
    """
    from cleanlab.count import get_confident_thresholds

    joint = estimated_joint(labels, probabilities)
    thresholds = np.minimum(get_confident_thresholds(labels, probabilities), 1.0)

    def by_class(values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(classes, values, strict=True))

    return {
        "pictures": len(labels),
        "suspects": len(suspects(labels, probabilities)),
        "estimated_errors": float(len(labels) * (1 - joint.trace())),
        "noise_rate": float(1 - joint.trace()),
        "noise_rate_by_label": by_class(noise_rates(joint).tolist()),
        "out_of_fold_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "thresholds": by_class(thresholds.tolist()),
        "confident_joint": by_class(
            [by_class(row) for row in confident_joint(labels, probabilities).tolist()]
        ),
        "estimated_joint": by_class([by_class(row) for row in joint.tolist()]),
    }
