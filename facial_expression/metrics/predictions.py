"""The table predictions/<split>.csv of the evaluate stage; several runs' side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import DatasetError

Labels = NDArray[np.int64]
COLUMNS = ["path", "actual", "predicted"]
"""What the header begins with; the names of the classes follow, in label order."""


@dataclass(frozen=True)
class Predictions:
    """What one run predicted.

    Attributes:
        name: what messages call the run.
        classes: names, in label order.
        rows: path -> (actual, predicted) class name.
    """

    name: str
    classes: list[str]
    rows: dict[str, tuple[str, str]]


def parse(text: str, name: str) -> Predictions:
    """The content of predictions/<split>.csv.

    Raises:
        DatasetError: it is no such table: other columns, no picture, a picture twice, or a class
            that its header does not name.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = list(reader.fieldnames or ())
    if header[:3] != COLUMNS:
        raise DatasetError(
            f"{name}: expected predictions with the columns {', '.join(COLUMNS)} and one a class, "
            f"found {', '.join(header) or 'none'}; run the evaluate stage of that version again"
        )
    classes, found = header[3:], list(reader)
    rows = {row["path"]: (row["actual"], row["predicted"]) for row in found}
    strange = {label for pair in rows.values() for label in pair} - set(classes)
    if not rows or len(rows) != len(found) or strange:
        fault = f"the classes {sorted(map(str, strange))}" if strange else f"{len(found)} rows"
        raise DatasetError(
            f"{name}: expected predictions for each picture once, with classes of the header, "
            f"found {fault} for {len(rows)} pictures; run the evaluate stage of that version again"
        )
    return Predictions(name, classes, rows)


def aligned(runs: Sequence[Predictions]) -> tuple[Labels, list[Labels]]:
    """Actual labels int64 (N,), and each run's predictions int64 (N,), in the first run's order.

    Raises:
        DatasetError: two runs differ in their classes, pictures or labels.
    """
    first = runs[0]
    for other in runs[1:]:
        _check_same(first, other)
    number = {label: place for place, label in enumerate(first.classes)}
    actual = [number[label] for label, _ in first.rows.values()]
    predicted = [[number[each.rows[path][1]] for path in first.rows] for each in runs]
    return np.array(actual, np.int64), [np.array(row, np.int64) for row in predicted]


def _check_same(one: Predictions, other: Predictions) -> None:
    if one.classes != other.classes:
        raise DatasetError(
            f"{one.name} and {other.name}: expected the same classes, found "
            f"{', '.join(one.classes)} and {', '.join(other.classes)}; compare runs on one data set"
        )
    shared = one.rows.keys() & other.rows.keys()
    alone, other_alone = len(one.rows) - len(shared), len(other.rows) - len(shared)
    relabelled = sum(one.rows[path][0] != other.rows[path][0] for path in shared)
    if alone or other_alone or relabelled:
        raise DatasetError(
            f"{one.name} and {other.name}: expected the same pictures with the same labels, found "
            f"{alone:,} pictures only in {one.name}, {other_alone:,} only in {other.name} and "
            f"{relabelled:,} of the {len(shared):,} shared ones with another label; "
            "compare runs on one data set, protocol and split"
        )
