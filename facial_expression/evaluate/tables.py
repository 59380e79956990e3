"""What the evaluate stage reports of one split.  Labels and probabilities -> scores and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facial_expression.metrics import calibration, scores
from facial_expression.metrics.intervals import intervals
from facial_expression.metrics.scores import Labels, Probabilities, headline

LEAK_FREE = ("n", *(f"{s}{end}" for s in ("accuracy", "macro_f1") for end in ("", "_low", "_high")))
"""Scores that are reported of the leak-free rows."""


def split_scores(
    name: str, labels: Labels, means: Mapping[str, Probabilities], leak_free: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """The entries of scores.json for the split `name`.

    The training split has plain scores only, without bootstrap intervals: it is no sample of new
    pictures.  If no row is leak-free, the entry for the leak-free rows is missing.  `means` are
    probabilities (N, classes), "plain" and of each kind of test-time averaging.
    """
    entries = {
        name if kind == "plain" else f"{name}_{kind}": headline(labels, mean)
        for kind, mean in means.items()
    }
    if name != "train":
        entries[name] |= intervals(labels, means["plain"])
        if leak_free.any():
            part = labels[leak_free], means["plain"][leak_free]
            found = headline(*part) | intervals(*part)
            entries[f"{name}_leak_free"] = {key: found[key] for key in LEAK_FREE}
    return entries


def trust(
    labels: Labels, probabilities: Probabilities, calibrated: Probabilities, temperature: float
) -> dict[str, Any]:
    """Entries `calibration` and `selective` of scores.json.

    `calibrated` are the probabilities (N, classes) after the temperature, which was fitted on val.
    """
    return {
        "calibration": {
            "temperature": temperature,
            "fitted_on": "val",
            "before": calibration.calibration_scores(labels, probabilities),
            "after": calibration.calibration_scores(labels, calibrated),
        },
        "selective": scores.selective_scores(labels, probabilities),
    }


def predictions(
    paths: Sequence[str], labels: Labels, probabilities: Probabilities, classes: Sequence[str]
) -> pd.DataFrame:
    """Columns path, actual, predicted and one probability a class; `classes` in label order."""
    names, predicted = np.array(classes), probabilities.argmax(axis=1)
    said = {"path": paths, "actual": names[labels], "predicted": names[predicted]}
    shares = pd.DataFrame(probabilities, columns=classes)
    return pd.concat([pd.DataFrame(said), shares], axis=1)


def tables(
    labels: Labels,
    probabilities: Probabilities,
    calibrated: Probabilities,
    temperature: float,
    classes: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """The CSV tables of one split by name; `classes` are the names in label order."""
    predicted, names = probabilities.argmax(axis=1), np.array(classes)
    times = ("before", 1.0, probabilities), ("after", temperature, calibrated)
    bins = [
        calibration.reliability(labels, rows, binning).assign(
            when=when, temperature=degree, binning=binning
        )
        for when, degree, rows in times
        for binning in calibration.BINNINGS
    ]
    order = ["when", "temperature", "binning", "low", "high", "n", "confidence", "accuracy"]
    return {
        "confusion": pd.DataFrame({"actual": names[labels], "predicted": names[predicted]}),
        "confused_pairs": scores.confused_pairs(labels, predicted, classes),
        "per_class": scores.per_class(labels, predicted, classes),
        "reliability": pd.concat(bins, ignore_index=True)[order],
        "risk_coverage": scores.risk_coverage(labels, probabilities),
    }
