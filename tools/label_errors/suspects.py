"""Suspected label errors by confident learning.  Labels and probabilities -> ranked suspects.

The method of Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in
Dataset Labels", arXiv:1911.00068, as its authors' library cleanlab computes it.  Of the paper's
ways to use the joint this is *prune by noise rate*, ranked by normalised margin.  From each
off-diagonal cell of the joint it takes as many pictures as are estimated to be wrong there, those
with the largest margin first.  So a pair of classes that is often confused (fear and sad) gets many
suspects, and a clean class (happy) few.

The probabilities must be out of fold: no network may judge a picture that it was fitted on.
cleanlab is slow to load and imported inside the functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Split

if TYPE_CHECKING:
    import pandas as pd

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]


def suspects(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """Rows whose label is suspected to be wrong, most suspect first, int64 (suspects,).

    The most probable class of a suspect is not its label; it is the suggestion.  The margin,
    probability of the label less that of the suggestion, is below 0 and ascends.  Rows of equal
    margins (duplicates) stay in their order.  The only picture of a class is never suspected.
    `labels` are int64 (N,), of two classes or more; `probabilities` float64 (N, K), out of fold.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    with warnings.catch_warnings():
        # for each class of no or one picture, in which nothing can be suspected
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        suspected = find_label_issues(
            labels, probabilities, filter_by="prune_by_noise_rate", n_jobs=1
        )
    rows = np.flatnonzero(suspected)
    scores = get_label_quality_scores(labels, probabilities, method="normalized_margin")[rows]
    # `return_indices_ranked_by` does the same, but its sort is not stable
    return rows[np.argsort(scores, kind="stable")]


def listed(
    rows: NDArray[np.int64], train: Split, probabilities: Probabilities, classes: Sequence[str]
) -> pd.DataFrame:
    """The table label_errors.csv of these rows of `train`, in their order."""
    import pandas as pd

    names, shares = np.array(classes), probabilities[rows]
    labels, suggested = train.labels[rows], shares.argmax(axis=1)
    own = np.take_along_axis(shares, labels[:, None], axis=1)[:, 0]
    said = {
        "rank": np.arange(1, len(rows) + 1),
        "path": [train.paths[row] for row in rows],
        "label": names[labels],
        "suggested": names[suggested],
        "self_confidence": own,
        "margin": own - shares.max(axis=1),
    }
    return pd.concat([pd.DataFrame(said), pd.DataFrame(shares, columns=classes)], axis=1)


def summary(labels: Labels, probabilities: Probabilities, classes: Sequence[str]) -> dict[str, Any]:
    """The counts of label_errors.json by class name; a joint is nested by label, then true class.

    `confident_joint`: pictures with a label that confidently belong to a class (equation 1), that
    is, whose probability reaches the class's threshold.  Of several thresholds that are reached,
    cleanlab takes the most probable class of all, the paper that of those reached.  cleanlab counts
    at least one right picture of every class.
    `estimated_joint`: its rows scaled to the pictures of each label, rounded to whole pictures,
    as shares of all pictures (equation 3).
    `thresholds`: mean probability of a class over the pictures with that label (equation 2); 1 for
    a class without a picture, which no picture reaches.
    """
    from cleanlab.count import compute_confident_joint, estimate_joint, get_confident_thresholds

    joint = estimate_joint(labels, probabilities)
    confident = compute_confident_joint(labels, probabilities, calibrate=False)
    thresholds = np.minimum(get_confident_thresholds(labels, probabilities), 1.0)
    rows = joint.sum(axis=1)
    wrong = rows - joint.diagonal()
    rates = np.divide(wrong, rows, out=np.zeros_like(rows), where=rows > 0)

    def by_class(values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(classes, values, strict=True))

    return {
        "pictures": len(labels),
        "suspects": len(suspects(labels, probabilities)),
        "estimated_errors": float(len(labels) * (1 - joint.trace())),
        "noise_rate": float(1 - joint.trace()),
        "noise_rate_by_label": by_class(rates.tolist()),
        "out_of_fold_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "thresholds": by_class(thresholds.tolist()),
        "confident_joint": by_class([by_class(row) for row in confident.tolist()]),
        "estimated_joint": by_class([by_class(row) for row in joint.tolist()]),
    }
