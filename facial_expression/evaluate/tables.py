"""The parts of metrics.json and the tables beside it.  Labels and probabilities -> plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.metrics.calibration import (
    BINNINGS,
    calibration_scores,
    reliability,
    with_temperature,
)
from facial_expression.metrics.intervals import intervals
from facial_expression.metrics.scores import (
    Labels,
    Probabilities,
    confused_pairs,
    headline,
    per_class,
)
from facial_expression.metrics.selective import risk_coverage, selective_scores

Table = tuple[tuple[str, ...], Sequence[tuple[Any, ...]]]
"""A header and its rows."""


def split_scores(
    name: str,
    labels: Labels,
    means: Mapping[str, Probabilities],
    leak_free: NDArray[np.bool_],
) -> dict[str, dict[str, float]]:
    """Every entry of metrics.json that is one split's.

    The training split gets its plain scores only: it is no sample of new pictures.  Where no row
    is leak-free, there is no entry for those.

    Args:
        name: of the split.
        labels: int64 (N,), the actual classes.
        means: "plain" and each kind of test-time averaging -> float (N, classes).
        leak_free: (N,), whether a row has no duplicate anywhere.
    """
    scores = {
        name if kind == "plain" else f"{name}_{kind}": headline(labels, mean)
        for kind, mean in means.items()
    }
    if name != "train":
        scores[name] |= intervals(labels, means["plain"])
        if leak_free.any():
            scores[f"{name}_leak_free"] = leak_free_scores(labels, means["plain"], leak_free)
    return scores


def leak_free_scores(
    labels: Labels, probabilities: Probabilities, leak_free: NDArray[np.bool_]
) -> dict[str, float]:
    """n, accuracy and macro F1 with intervals on the leak-free rows, at least one."""
    labels, probabilities = labels[leak_free], probabilities[leak_free]
    scores = headline(labels, probabilities) | intervals(labels, probabilities)
    names = ("accuracy", "macro_f1")
    kept = ["n", *(name + end for name in names for end in ("", "_low", "_high"))]
    return {name: scores[name] for name in kept}


def before_and_after(
    probabilities: Probabilities, temperature: float
) -> dict[str, tuple[float, Probabilities]]:
    """The probabilities as they are (temperature 1), and after the temperature."""
    after = with_temperature(probabilities, temperature)
    return {"before": (1.0, probabilities), "after": (temperature, after)}


def trust(labels: Labels, probabilities: Probabilities, temperature: float) -> dict[str, Any]:
    """Entries `calibration` and `selective` of metrics.json; the temperature was fitted on val."""
    calibration: dict[str, Any] = {"temperature": temperature, "fitted_on": "val"}
    for when, (_, rows) in before_and_after(probabilities, temperature).items():
        calibration[when] = calibration_scores(labels, rows)
    return {"calibration": calibration, "selective": selective_scores(labels, probabilities)}


def predictions(
    paths: Sequence[str], labels: Labels, probabilities: Probabilities, classes: Sequence[str]
) -> Table:
    """The table predictions/<split>.csv; `classes` are the names in label order."""
    predicted = probabilities.argmax(axis=1)
    rows = zip(paths, labels, predicted, probabilities.tolist(), strict=True)
    return (
        ("path", "actual", "predicted", *classes),
        [(path, classes[actual], classes[guess], *row) for path, actual, guess, row in rows],
    )


def tables(
    labels: Labels, probabilities: Probabilities, temperature: float, classes: Sequence[str]
) -> dict[str, Table]:
    """The CSV tables of one split by name; `classes` are the names in label order."""
    predicted = probabilities.argmax(axis=1)
    pairs = [(classes[a], classes[p]) for a, p in zip(labels, predicted, strict=True)]
    bins = [
        (when, degree, binning, *part)
        for when, (degree, rows) in before_and_after(probabilities, temperature).items()
        for binning in BINNINGS
        for part in reliability(labels, rows, binning)
    ]
    return {
        "confusion": (("actual", "predicted"), pairs),
        "confused_pairs": (
            ("actual", "predicted", "count", "share_of_actual"),
            confused_pairs(labels, predicted, classes),
        ),
        "per_class": (
            ("class", "precision", "recall", "f1", "support"),
            per_class(labels, predicted, classes),
        ),
        "reliability": (
            ("when", "temperature", "binning", "low", "high", "n", "confidence", "accuracy"),
            bins,
        ),
        "risk_coverage": (("coverage", "risk", "threshold"), risk_coverage(labels, probabilities)),
    }
