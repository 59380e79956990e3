"""Scores of class probabilities against labels; scikit-learn's and SciPy's where they have one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
)

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]  # (N,), the actual classes or the predicted ones
Probabilities = NDArray[np.float64]  # (N, classes), rows sum to 1 up to rounding
SMALLEST = 1e-15  # probabilities are raised to it before their logarithm is taken
TAILS = (0.025, 0.975)  # quantiles at the ends of a 95 % interval


def headline(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """The main scores of one split.

    n; accuracy with its 95 % bootstrap interval; balanced accuracy over the classes that occur;
    macro F1 over all classes, where one that never occurs counts 0; top-2 accuracy; log loss and
    Brier score as in `proper_scores`.
    """
    predicted = probabilities.argmax(axis=1)
    low, high = share_interval(int((predicted == labels).sum()), len(labels))
    recall = recall_score(labels, predicted, labels=np.unique(labels), average="macro")
    return {
        "n": len(labels),
        "accuracy": float(accuracy_score(labels, predicted)),
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": float(recall),
        "macro_f1": macro_f1(labels, predicted, probabilities.shape[1]),
        "top_2_accuracy": float(top_2_hits(labels, probabilities).mean()),
        **proper_scores(labels, probabilities),
    }


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """The 95 % percentile-bootstrap interval of the share hits / n.

    The number of hits among n rows drawn with replacement follows Binomial(n, hits / n).  So the
    interval for infinitely many draws is known: the quantiles of that distribution.
    """
    low, high = binom.ppf(TAILS, n, hits / n) / n
    return float(low), float(high)


def normalised(probabilities: Probabilities) -> Probabilities:
    """Probabilities (N, classes), at least `SMALLEST`, whose rows sum to 1 in float64.

    The rows of a model's float32 output sum to 1 only in float32.
    """
    clipped = np.clip(probabilities, SMALLEST, 1.0)
    return clipped / clipped.sum(axis=1, keepdims=True)


def proper_scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Log loss in nats, and Brier score in its original multi-class form, 0 to 2.

    Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    classes = np.arange(probabilities.shape[1])
    rows = normalised(probabilities)
    return {
        "log_loss": float(log_loss(labels, rows, labels=classes)),
        "brier": float(brier_score_loss(labels, rows, labels=classes, scale_by_half=False)),
    }


def top_2_hits(labels: Labels, probabilities: Probabilities) -> NDArray[np.bool_]:
    """Whether the label of each row is among its two most probable classes, (N,).

    Of equally probable classes the first one counts as more probable, as in argmax.  scikit-learn's
    `top_k_accuracy_score` takes the last one, so that it can fall below the accuracy.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return (order[:, :2] == labels[:, None]).any(axis=1)


def macro_f1(labels: Labels, predicted: Labels, classes: int | None = None) -> float:
    """Mean F1 over all classes, one that never occurs counting 0, or over those in `labels`."""
    over = np.arange(classes) if classes else np.unique(labels)
    return float(f1_score(labels, predicted, labels=over, average="macro", zero_division=0.0))


def per_class(labels: Labels, predicted: Labels, names: Sequence[str]) -> pd.DataFrame:
    """Columns class, precision, recall, f1, support; a row a class; a ratio x / 0 is 0."""
    scores = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(names)), zero_division=0.0
    )
    columns = ("precision", "recall", "f1", "support")
    table = pd.DataFrame({"class": names, **dict(zip(columns, scores, strict=True))})
    return table.astype({"support": int})  # scikit-learn's is a float if no prediction is right


def confused_pairs(labels: Labels, predicted: Labels, names: Sequence[str]) -> pd.DataFrame:
    """Columns actual, predicted, count, share_of_actual; a row for each kind of mistake made.

    The most frequent kind comes first, equally frequent ones in the order of `names`.
    """
    rows = pd.DataFrame({"actual": labels, "predicted": predicted})
    table = rows.value_counts(sort=False).sort_index().reset_index()
    table["share_of_actual"] = table["count"] / np.bincount(labels)[table["actual"]]
    table = table[table["actual"] != table["predicted"]]
    table[["actual", "predicted"]] = np.array(names)[table[["actual", "predicted"]]]
    return table.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def risk_by_number(labels: Labels, probabilities: Probabilities) -> tuple[Floats, Floats]:
    """Error rate among the k surest answers, k = 1 ... N, and the confidence of the k-th.

    Selective prediction: Geifman & El-Yaniv 2017, "Selective classification for deep neural
    networks" (NeurIPS), of a network that answers only when it is sure.

    Confidence is the predicted class's probability.  For equally sure rows the risk is the mean
    over all their orders, so it does not depend on the order of the rows.  Both are float64 (N,);
    answering from a confidence of threshold[k - 1] on answers k rows, or more of equally sure ones.
    """
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != labels
    order = np.argsort(-confidence, kind="stable")
    threshold = confidence[order]
    shares = pd.Series(wrong[order]).groupby(threshold).transform("mean")  # of equally sure rows
    return np.cumsum(shares.to_numpy()) / np.arange(1, len(order) + 1), threshold


def selective_scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Area under the risk-coverage curve, its excess, and the accuracy of the surest answers.

    The area is the mean risk over all coverages; lower is better, and refusing at random gives the
    error rate.  `excess_aurc` is its distance from an order that refuses every mistake first:
    Geifman, Uziel & El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural
    classifiers" (ICLR).
    """
    risk, _ = risk_by_number(labels, probabilities)
    n = len(risk)
    answered = np.arange(1, n + 1)
    best = np.maximum(0, answered - round(n * (1 - float(risk[-1])))) / answered
    area = float(risk.mean())
    scores = {"aurc": area, "excess_aurc": area - float(best.mean())}
    for percent in (50, 80, 90):
        scores[f"accuracy_at_{percent}"] = 1 - float(risk[-(-n * percent // 100) - 1])
    return scores


def risk_coverage(labels: Labels, probabilities: Probabilities, points: int = 100) -> pd.DataFrame:
    """Columns coverage, risk, threshold at up to `points` coverages, evenly up to 1."""
    risk, threshold = risk_by_number(labels, probabilities)
    n = len(risk)
    numbers = np.unique(-(-n * np.arange(1, points + 1) // points))
    return pd.DataFrame(
        {"coverage": numbers / n, "risk": risk[numbers - 1], "threshold": threshold[numbers - 1]}
    )
