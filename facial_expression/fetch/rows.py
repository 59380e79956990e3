"""What every reader of a layout makes: one row a picture."""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.unpack import File, Files, safe_path

NOTHING: Mapping[str, str] = MappingProxyType({})
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the picture."""


class Row(NamedTuple):
    """One picture of a data set."""

    split: str  # the folder in images.zip: train, val, valid, validation or test
    label: str  # the name of its class
    name: str  # of the file in the class folder of images.zip
    file: File
    group: str = ""  # the person, subject or clip that it shows, "" if unknown
    box: Box | None = None  # what is cut out of it
    facts: Mapping[str, str] = NOTHING  # attributes, such as sex, of the person


class Label(NamedTuple):
    """What a set says about a picture that is still to be found."""

    path: str  # of the picture, or the last parts of its path
    label: str
    split: str = "train"  # without splits of its own, stage index draws val and test from train
    name: str = ""  # in the class folder of images.zip; by default made of the path
    group: str = ""
    box: Box | None = None
    facts: Mapping[str, str] = NOTHING


def joined(
    files: Files,
    labels: Iterable[Label],
    classes: Mapping[str, str] = NOTHING,
    left_out: Mapping[str, str] = NOTHING,
) -> list[Row]:
    """Rows of the labelled pictures; labels without a class or a picture are counted on stderr.

    Args:
        files: the source.
        labels: what the set says, in any order.
        classes: what the set calls a class -> its name; empty: a label is the name.
        left_out: labels that are no class -> what they mean.

    Raises:
        ArchiveError: a label is unknown, two pictures fit one path, or no picture fits any.
    """
    named = defaultdict(list)
    for file in files.pictures:
        named[file.path.rpartition("/")[2]].append(file)
    rows, lacking = [], []
    left: Counter[str] = Counter()
    for path, label, split, name, group, box, facts in labels:
        if label in left_out:
            left[left_out[label]] += 1
            continue
        if classes and label not in classes:
            raise ArchiveError(
                f"{files.where}: expected for {path!r} a label of {', '.join(classes)}, found "
                f"{label!r}; correct it"
            )
        parts = safe_path(path, files.where)
        found = [
            file
            for file in named[parts.rpartition("/")[2]]
            if f"/{file.path}".endswith(f"/{parts}")
        ]
        if len(found) > 1:
            raise ArchiveError(
                f"{files.where}: expected one picture {path!r}, found {found[0].path!r} and "
                f"{found[1].path!r}; leave one"
            )
        if found:
            made = name or parts.replace("/", "_")
            rows.append(Row(split, classes.get(label, label), made, found[0], group, box, facts))
        else:
            lacking.append(path)
    if not rows:
        raise ArchiveError(
            f"{files.where}: expected the pictures that its labels name, found none, such as "
            f"{(lacking or ['any'])[0]!r}; put them beside the labels"
        )
    said = [f"{count} {reason}" for reason, count in left.items()]
    if lacking:
        said.append(f"{len(lacking)} without a picture, e.g. {lacking[0]!r}")
    if said:
        print(f"{files.where}: labels passed over: {', '.join(said)}", file=sys.stderr)
    return rows


def table(files: Files, file: File, columns: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """The rows of a table of labels as texts by column, without blank lines.

    Args:
        files: the source.
        file: a text in UTF-8.  With a header its columns are separated by commas, semicolons or
            tabs; without one by spaces.
        columns: names of the columns of a table without a header; only the first holds spaces.

    Raises:
        ArchiveError: a row has not as many cells as there are columns.
    """
    lines = [line for line in files.text(file).splitlines() if line.strip()]
    if columns:
        rows = [line.rsplit(maxsplit=len(columns) - 1) for line in lines]
    else:
        mark = max(",;\t", key=lines[0].count) if lines else ","
        try:
            first, *rows = csv.reader(lines, delimiter=mark, skipinitialspace=True)
        except (csv.Error, ValueError):
            first, rows = [], []
        columns = [name.strip() for name in first]
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise ArchiveError(
                f"{files.where}: {file.path}: expected {len(columns)} columns in row {number}, "
                f"found {len(row)}; correct it"
            )
        yield dict(zip(columns, map(str.strip, row), strict=True))


def box_of(files: Files, row: Mapping[str, str], columns: Sequence[str]) -> Box:
    """Left, top, right and bottom in the `columns` of a row of a table."""
    try:
        left, top, right, bottom = (float(row[name]) for name in columns)
        if not (left < right and top < bottom):
            raise ValueError("its sides are not in order")
    except ValueError as error:
        raise ArchiveError(
            f"{files.where}: expected a box in {', '.join(columns)}: {error}; correct it"
        ) from None
    return left, top, right, bottom
