"""The tables that figures are drawn from, checked as they are read."""

from __future__ import annotations

from pathlib import Path

from facial_expression.errors import DatasetError
from facial_expression.files import read_csv


def table(path: Path, *columns: str, may_be_empty: bool = False) -> list[dict[str, str]]:
    """The rows of a CSV table.

    Raises:
        DatasetError: it is missing, lacks one of the columns, or has no row and may not be empty.
    """
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
    """The label of a class name in the table at `path`.

    Raises:
        DatasetError: it is none of the classes.
    """
    if name not in classes:
        raise DatasetError(f"{path}: expected a class of {', '.join(classes)}, found {name!r}")
    return classes.index(name)
