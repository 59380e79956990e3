"""The tables of earlier stages, checked as far as the figures need it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from facial_expression.core.errors import DatasetError
from facial_expression.core.tables import Columns, read_table

CLASS = ("class", "actual", "predicted")
"""Columns that name a class."""
COLUMNS: dict[str, Columns] = {
    "class_counts": {"class": str, "split": str, "count": int},
    "audit": {"path": str, "kind": str, "partner": str, "score": float},
    "history": {"epoch": int}
    | dict.fromkeys(("loss", "val_loss", "accuracy", "val_accuracy"), float),
    "confusion": {"actual": str, "predicted": str},
    "confused_pairs": {"actual": str, "predicted": str, "count": int, "share_of_actual": float},
    "per_class": {"class": str, "precision": float, "recall": float, "f1": float, "support": int},
    "reliability": {"when": str, "temperature": float, "binning": str, "low": float, "high": float}
    | {"n": int, "confidence": float, "accuracy": float},
    "risk_coverage": {"coverage": float, "risk": float},
}
"""Of each table, by the name of its file."""
RELIABILITY = {f"{when} equal_{of}" for when in ("before", "after") for of in ("width", "mass")}
"""The four groups of rows of reliability.csv."""
EMPTY = ("audit", "confused_pairs")
"""Tables that may have no row."""


def read(path: Path, classes: Sequence[str], columns: Columns | None = None) -> pd.DataFrame:
    """Read a table whose columns are in `COLUMNS` or given.

    Raises:
        DatasetError: the table is missing or incomplete, or names a class that is not in `classes`.
    """
    name = path.stem
    table = read_table(path, columns or COLUMNS[name], "dvc repro", empty=name in EMPTY)
    for column in CLASS:
        strange = set(table.get(column, ())) - set(classes)
        if strange:
            raise DatasetError(
                f"{path}: expected a class of {', '.join(classes)}, found {min(strange)!r}; "
                "run dvc repro again"
            )
    if name == "reliability":
        found = set(table["when"] + " " + table["binning"])
        if found != RELIABILITY:
            raise DatasetError(
                f"{path}: expected rows of before and after, each by equal_width and equal_mass, "
                f"found {', '.join(sorted(found))}; run evaluate again"
            )
    return table
