"""The tables of earlier stages, checked as far as the figures need it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from facial_expression.core.errors import DatasetError
from facial_expression.core.tables import Columns, read_table

COLUMNS: dict[str, Columns] = {
    "class_counts": {"class": str, "split": str, "count": int},
    "audit": {"path": str, "kind": str, "partner": str, "score": float},
    "history": {"epoch": int}
    | dict.fromkeys(("loss", "val_loss", "accuracy", "val_accuracy"), float),
    "confusion": {"actual": str, "predicted": str},
    "confused_pairs": {"actual": str, "predicted": str, "count": int, "share_of_actual": float},
    "per_class": {"class": str, "precision": float, "recall": float, "f1": float, "support": int},
    "reliability": {"when": str, "binning": str, "low": float, "high": float, "n": int}
    | {"confidence": float, "accuracy": float},
    "risk_coverage": {"coverage": float, "risk": float},
}
"""Of each table, by the name of its file."""
EMPTY = ("audit", "confused_pairs")
"""Tables that may have no row."""


def read(path: Path, classes: Sequence[str], columns: Columns | None = None) -> pd.DataFrame:
    """Read a table whose columns are in `COLUMNS` or given.

    Raises:
        DatasetError: the table is missing or incomplete, or names a class that is not in `classes`.
    """
    table = read_table(path, columns or COLUMNS[path.stem], "dvc repro", empty=path.stem in EMPTY)
    for column in ("class", "actual", "predicted"):
        if strange := set(table.get(column, ())) - set(classes):
            raise DatasetError(
                f"{path}: expected a class of {', '.join(classes)}, found {min(strange)!r}; "
                "run dvc repro again"
            )
    return table
