"""What the readers of layouts make, one row a picture, and how they read tables of labels."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isnan, nan
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from tqdm import tqdm

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.unpack import File, Files, safe_path

if TYPE_CHECKING:  # pandas is imported where a set has tables: it takes longer than FER2013's names
    import pandas as pd

NOTHING: Mapping[str, str] = MappingProxyType({})
LONGEST_LINE = 1 << 16  # characters; a row of fer2013.csv has some 9,000
SIDES = ("left", "top", "right", "bottom")
Box = tuple[float, float, float, float]
"""The `SIDES` of a face, in pixels of the picture."""


class Row(NamedTuple):
    """One picture of a data set."""

    split: str  # the folder in images.zip: train, val, valid, validation or test
    label: str  # the name of its class
    name: str  # of the file in the class folder of images.zip
    file: File
    group: str = ""  # the person, subject or clip that it shows, "" if unknown
    box: Box | None = None  # what is cut out of it
    facts: Mapping[str, str] = NOTHING  # attributes, such as sex, of the person


def only(files: Files, what: str, found: Sequence[File]) -> File:
    """The table of labels, if one is found; it is not counted among files that are passed over."""
    if len(found) != 1:
        names = " and ".join(repr(file.path) for file in found[:2]) or "none"
        raise files.fault(f"one {what}", names, "leave one" if found else "add it as CSV")
    files.used.add(found[0].path)
    return found[0]


def table(files: Files, ending: str, columns: Mapping[str, type], **how: Any) -> pd.DataFrame:
    """The table of labels whose `/path`, in lower case, has this ending; `core.tables.read_table`.

    By default the table has a header, and a comma, semicolon or tab between its columns.  Spaces
    around a cell do not count.

    Raises:
        ArchiveError: there is not one such table.
        DatasetError: a column is missing, or a value is not of its column's type.
    """
    from facial_expression.core.tables import read_table

    file = only(files, f"table {ending[1:]!r}", files.other(ending))
    path, first = Path(f"{files.where}: {file.path!r}"), files.head(file).partition(b"\n")[0]
    how = {"sep": max(",;\t", key=first.decode(errors="replace").count), **how}
    with files.stream(file) as stream:
        found = read_table(path, columns, stream=stream, skipinitialspace=True, **how)
    for name in (name for name, kind in columns.items() if kind is str):
        found[name] = found[name].str.strip()
    return found


def lines(
    stream: IO[bytes], columns: Collection[str], where: str
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place, for messages, and the cells of each row of a table that is not held whole.

    Names of columns are in lower case; a blank line is no row.

    Raises:
        ArchiveError: a column is missing, or a row is not as long as the header.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    pieces = iter(lambda: text.readline(LONGEST_LINE), "")
    header = next(pieces, "")
    mark = max(",;\t", key=header.count)  # spreadsheets write others than the comma
    reader = csv.reader(chain([header], pieces), delimiter=mark)
    rows = (cells for cells in reader if any(map(str.strip, cells)))
    names = [name.strip().lower() for name in next(rows, [])]
    if not set(columns) <= set(names):
        what, found = f"the columns {', '.join(sorted(columns))}", repr(", ".join(names)[:80])
        raise ArchiveError.expected(where, what, found, "get a whole table")
    read = tqdm(rows, "fetch", unit=" rows", leave=False, disable=None)
    for row, cells in enumerate(read):
        place, width = f"{where}: row {row} (line {reader.line_num})", f"{len(names)} columns"
        if len(cells) != len(names):
            raise ArchiveError.expected(place, width, len(cells), "get a whole table")
        yield place, dict(zip(names, map(str.strip, cells), strict=True))


def joined(
    files: Files,
    labels: Iterable[Mapping[str, Any]],
    classes: Mapping[str, str] = NOTHING,
    left_out: Mapping[str, str] = NOTHING,
) -> list[Row]:
    """Rows of the labelled pictures; labels without a class or a picture are counted on stderr.

    Args:
        files: the source.
        labels: `path` of a picture, or the last parts of it, and `label`; by default `split` is
            train, `name` is made of the path, `group` is empty, and there are no `SIDES` (floats)
            and no `facts`, attributes of the person.
        classes: what the set calls a class -> its name; empty: a label is the name.
        left_out: labels that are no class -> what they mean.

    Raises:
        ArchiveError: a label is unknown, two pictures fit one path, or no picture fits any.
    """
    rows: list[Row] = []
    named, passed, lacking = defaultdict[str, list[File]](list), Counter[str](), list[str]()
    for file in files.pictures:
        named[file.name].append(file)
    for said in labels:
        try:
            path, label = safe_path(said["path"], files.where), said["label"]
        except ArchiveError:
            what, remedy = "a path inside the source in the labels", "shorten it to its last parts"
            raise files.fault(what, repr(said["path"]), remedy) from None
        same = named[path.rpartition("/")[2]]
        found = [file for file in same if f"/{file.path}".endswith(f"/{path}")]
        if label in left_out:
            passed[left_out[label]] += 1
        elif classes and label not in classes:
            what = f"for {path!r} a label of {', '.join(classes)}"
            raise files.fault(what, repr(label), "correct it")
        elif len(found) > 1:
            both = f"{found[0].path!r} and {found[1].path!r}"
            raise files.fault(f"one picture {path!r}", both, "leave one")
        elif found:
            name, split = said.get("name") or path.replace("/", "_"), said.get("split", "train")
            left, top, right, bottom = (said.get(side, nan) for side in SIDES)
            box = None if isnan(left + top + right + bottom) else (left, top, right, bottom)
            group, facts = said.get("group", ""), said.get("facts", NOTHING)
            rows.append(Row(split, classes.get(label, label), name, found[0], group, box, facts))
        else:
            lacking.append(path)
    if not rows:
        what = f"the pictures that its labels name, such as {(lacking or ['1.jpg'])[0]!r}"
        raise files.fault(what, "none", "put them beside the labels")
    if lacking:
        passed[f"without a picture, e.g. {lacking[0]!r}"] = len(lacking)
    if passed:
        parts = ", ".join(f"{count} {why}" for why, count in passed.items())
        files.note(f"labels passed over: {parts}")
    return rows
