"""CSV tables as pandas DataFrames: one reader and one writer for every stage and tool."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import pandas as pd

from facial_expression.core.errors import DatasetError, not_the_file, reason
from facial_expression.core.files import DECIMALS, in_store, reaching, write_bytes

Columns = Mapping[str, type]
"""Names of columns, each with `str`, `int` or `float`."""


def read_table(
    path: Path,
    columns: Columns,
    written_by: str = "",
    empty: bool = False,
    key: str = "",
    stream: IO[bytes] | None = None,
    **how: Any,
) -> pd.DataFrame:
    """Read a CSV table with a header, in UTF-8: all columns of the file, in its order.

    Args:
        path: the file.
        columns: what it must have.  Texts are taken literally (`NA` is a name); an empty field
            is "" in a text and NaN in a float.  Other columns are read as text.
        written_by: what to run if it is missing or damaged, such as `the index stage`.
        empty: whether a table may have no rows.
        key: a column whose values must differ.
        stream: the table, where it lies in an archive; `path` is then for messages.
        how: more arguments of `pandas.read_csv`.

    Raises:
        DatasetError: the file is missing or no CSV table, a column is missing, or a value is not
            of its column's type.
    """
    remedy = f"run {written_by} again" if written_by else "check the file"
    try:
        if in_store(path) and not stream:
            with reaching(path):
                stream = io.BytesIO(path.read_bytes())
        table = pd.read_csv(
            stream or path, dtype=str, keep_default_na=False, encoding="utf-8-sig", **how
        )
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such table; {remedy}") from None
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        if not_the_file(error):
            raise
        raise DatasetError(f"{path}: expected a CSV table: {reason(error)}; {remedy}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first column as row names
        raise DatasetError(f"{path}: expected rows as long as the header; {remedy}")
    if lacking := [name for name in columns if name not in table]:
        what = f"a column {', '.join(lacking)}"
        raise DatasetError.expected(path, what, ", ".join(table), remedy)
    if table.empty and not empty:
        raise DatasetError(f"{path}: expected rows, found none; {remedy}")
    if key and (twice := table.loc[table[key].duplicated(), key]).any():
        raise DatasetError(f"{path}: {key} {twice.iloc[0]:.200} is there twice; {remedy}")
    for name, kind in columns.items():
        if kind is not str:
            try:
                values = table[name].mask(table[name] == "") if kind is float else table[name]
                table[name] = values.astype("float64" if kind is float else "int64")
            except (ValueError, OverflowError) as error:
                raise DatasetError(f"{path}: column {name}: {reason(error)}; {remedy}") from None
    return table


def read_people(path: Path) -> pd.DataFrame:
    """people.csv: columns path (each once), group, and the attributes that the set states."""
    columns = {"path": str, "group": str}
    return read_table(path, columns, "the fetch stage", empty=True, key="path")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV table atomically: floats with `DECIMALS` decimals, a missing value as nothing."""
    text = table.to_csv(
        index=False, lineterminator="\n", float_format=lambda number: f"{number:z.{DECIMALS}f}"
    )
    write_bytes(path, text.encode())


def markdown(rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table of texts whose first row is the header.

    >>> print(markdown([("a", "b"), ("1", "2")]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    header, *others = map(list, rows)
    lines = [header, ["---"] * len(header), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
