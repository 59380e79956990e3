"""The tables of earlier stages -> the numbers that figures take.

Every function raises DatasetError, in one line, where a table is missing, lacks a column or a row,
or names a class that the arrays do not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import read_csv

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RELIABILITY = tuple(
    (when, binning) for when in ("before", "after") for binning in ("equal_width", "equal_mass")
)
"""The groups of rows in reliability.csv."""


@dataclass(frozen=True)
class Bins:
    """Pictures by the confidence of their prediction: float64 (B,), by rising confidence.

    low and high bound the bin; n pictures are in it; confidence is their mean, accuracy the share
    of right predictions.  `temperature` divided the logarithms of the probabilities.
    """

    temperature: float
    low: Floats
    high: Floats
    n: Floats
    confidence: Floats
    accuracy: Floats


def table(path: Path, *columns: str, may_be_empty: bool = False) -> list[dict[str, str]]:
    """The rows of a CSV table that has these columns, and rows unless it may be empty."""
    try:
        rows = list(read_csv(path))
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such table; run the stages before plot") from None
    if not rows and may_be_empty:
        return rows
    if not rows or not set(columns) <= rows[0].keys():
        found = f"columns {', '.join(rows[0])}" if rows else "no row"
        raise DatasetError(f"{path}: expected columns {', '.join(columns)} and rows, found {found}")
    return rows


def position(name: str, classes: list[str], path: Path) -> int:
    """The label of a class name."""
    if name not in classes:
        raise DatasetError(f"{path}: expected a class of {', '.join(classes)}, found {name!r}")
    return classes.index(name)


def class_counts(path: Path, classes: list[str]) -> dict[str, list[int]]:
    """Split -> pictures of each class, for every split that the table names, in its order."""
    counts: dict[str, list[int]] = {}
    for row in table(path, "class", "split", "count"):
        counts.setdefault(row["split"], [0] * len(classes))
        counts[row["split"]][position(row["class"], classes, path)] = int(row["count"])
    return counts


def columns(path: Path, *names: str) -> dict[str, list[float]]:
    """These columns of a table of numbers."""
    rows = table(path, *names)
    return {name: [float(row[name]) for row in rows] for name in names}


def confusion(path: Path, classes: list[str]) -> Integers:
    """Pictures by actual (row) and predicted (column) class, (K, K)."""
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for row in table(path, "actual", "predicted"):
        pair = (position(row[name], classes, path) for name in ("actual", "predicted"))
        counts[tuple(pair)] += 1
    return counts


def per_class(path: Path, classes: list[str]) -> tuple[Floats, Floats, Floats, Integers]:
    """Precision, recall, F1 and support, each (K,)."""
    precision, recall, f1 = scores = np.zeros((3, len(classes)))
    support = np.zeros(len(classes), np.int64)
    for row in table(path, "class", "precision", "recall", "f1", "support"):
        place = position(row["class"], classes, path)
        scores[:, place] = float(row["precision"]), float(row["recall"]), float(row["f1"])
        support[place] = int(row["support"])
    return precision, recall, f1, support


def predictions(path: Path, classes: list[str]) -> tuple[list[str], Integers, Floats]:
    """Paths, predicted labels (N,) and probabilities (N, K)."""
    rows = table(path, "path", "actual", "predicted", *classes)
    guesses = [position(row["predicted"], classes, path) for row in rows]
    probabilities = [[float(row[name]) for name in classes] for row in rows]
    return [row["path"] for row in rows], np.array(guesses, np.int64), np.array(probabilities)


def confused_pairs(path: Path, classes: list[str]) -> list[tuple[int, int, int, float]]:
    """(actual label, predicted label, count, share of the actual class); none without a mistake."""
    return [
        (
            position(row["actual"], classes, path),
            position(row["predicted"], classes, path),
            int(row["count"]),
            float(row["share_of_actual"]),
        )
        for row in table(path, "actual", "predicted", "count", "share_of_actual", may_be_empty=True)
    ]


def reliability(path: Path) -> dict[tuple[str, str], Bins]:
    """(before or after, equal_width or equal_mass) -> its bins, in the table's order."""
    names = ("low", "high", "n", "confidence", "accuracy")
    groups: dict[tuple[str, str], list[dict[str, str]]] = {key: [] for key in RELIABILITY}
    for row in table(path, "when", "temperature", "binning", *names):
        groups.setdefault((row["when"], row["binning"]), []).append(row)
    if set(groups) != set(RELIABILITY) or not all(groups.values()):
        found = ", ".join(" ".join(key) for key, rows in groups.items() if rows)
        raise DatasetError(
            f"{path}: expected rows of before and after, each by equal_width and equal_mass, found "
            f"{found}; run evaluate again"
        )
    return {
        key: Bins(
            float(rows[0]["temperature"]),
            *(np.array([float(row[name]) for row in rows]) for name in names),
        )
        for key, rows in groups.items()
    }
