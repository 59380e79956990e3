"""The tables of earlier stages, checked as far as the figures need it."""

from pathlib import Path

import pandas as pd

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


def read(path: Path) -> pd.DataFrame:
    """Read a table of `COLUMNS`; a DatasetError if it is missing or incomplete."""
    empty = path.stem in ("audit", "confused_pairs")  # these may have no row
    return read_table(path, COLUMNS[path.stem], "dvc repro", empty)
