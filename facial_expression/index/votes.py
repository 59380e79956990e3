"""The votes of FER+ (github.com/microsoft/FERPlus, fer2013new.csv): ten counts a picture.

Two forms of the table are read, told apart by their header:

- `fer2013new.csv` as it is published: Usage, Image name, ten counts, in the row order of
  fer2013.csv.  `Image name` is no row number and nobody else's file name, so its rows can only be
  given to pictures that were made from fer2013.csv here, whose names say their row
  (`dataset/challenge.py`: Training_0.pgm).
- a table joined on file names: path, ten counts, and any other column.  A folder copy of FER2013
  has names that say nothing about the row, so it needs such a table.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.params import pinned

Votes = tuple[int, ...]
"""Ten counts, in the order of COLUMNS."""

COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",  # not a face
)
PUBLISHED = ("Usage", "Image name", *COLUMNS)
JOINED = ("path", *COLUMNS)
MADE_HERE = re.compile(r"(Training|PublicTest|PrivateTest)_(\d+)\.pgm")


def read_pinned(path: str, sha256: str, pictures: Iterable[str]) -> dict[str, Votes]:
    """The votes of those pictures (member paths of images.zip) that have some, from a pinned file.

    Raises:
        ParameterError: the file is not named, missing, or another one than the parameters say.
        DatasetError: it is no table of votes, or not one for these pictures.
    """
    if not path:
        raise ParameterError(
            "index.labels.votes: expected the path of fer2013new.csv or of a table joined on file "
            "names, found ''; set it, or set index.labels.source to folders"
        )
    remedy = "get fer2013new.csv from github.com/microsoft/FERPlus"
    return read(pinned(path, sha256, "index.labels.votes", remedy), pictures)


def read(path: Path, pictures: Iterable[str]) -> dict[str, Votes]:
    """The votes of those pictures that have some, from a table of either form.

    A picture that FER+ publishes no votes for (no image name, or empty counts) is left out.

    Raises:
        DatasetError: the file is no such table, or none of its rows belongs to these pictures.
    """
    rows = _rows(path)
    header = next(rows, (0, []))[1]
    pictures = list(pictures)
    if tuple(header) == PUBLISHED:
        return _by_row(path, rows, pictures)
    if set(JOINED) <= set(header):
        return _by_path(path, rows, header, pictures)
    raise DatasetError(
        f"{path}: expected the columns {','.join(PUBLISHED)} (fer2013new.csv) or "
        f"{','.join(JOINED)} (joined on file names), found {','.join(header)[:120]!r}; "
        "name one of these tables in index.labels.votes"
    )


def _by_path(
    path: Path, rows: Iterator[tuple[int, list[str]]], header: list[str], pictures: list[str]
) -> dict[str, Votes]:
    places = [header.index(column) for column in JOINED]
    wanted = set(pictures)
    listed, voted = set(), {}
    for line, cells in rows:
        name, *counts = [cells[i] if i < len(cells) else "" for i in places]
        if name not in wanted:
            continue
        if name in listed:
            raise DatasetError(f"{path}: line {line}: {name} stands there twice; keep one row")
        listed.add(name)
        if any(counts):
            voted[name] = _counts(path, line, counts)
    if not listed:
        raise DatasetError(
            f"{path}: expected rows for pictures such as {pictures[0]!r}, found none for any of "
            f"{len(pictures)}; name the table that was joined on these file names"
        )
    return voted


def _by_row(
    path: Path, rows: Iterator[tuple[int, list[str]]], pictures: list[str]
) -> dict[str, Votes]:
    table = list(rows)
    voted = {}
    for picture in pictures:
        made = MADE_HERE.fullmatch(PurePosixPath(picture).name)
        if not made:
            raise DatasetError(
                f"{path}: its rows are those of fer2013.csv, expected pictures made from that file "
                f"(Training_0.pgm), found {picture!r}; fetch fer2013.csv instead, or name a table "
                "joined on file names"
            )
        usage, row = made[1], int(made[2])
        line, cells = table[row] if row < len(table) else (row + 2, [""])
        if cells[0] != usage:
            raise DatasetError(
                f"{path}: line {line}: expected the Usage {usage} of {picture!r}, found "
                f"{cells[0]!r}; get the whole fer2013new.csv that belongs to this fer2013.csv"
            )
        if len(cells) > 1 and cells[1]:
            voted[picture] = _counts(path, line, cells[2:])
    return voted


def _counts(path: Path, line: int, cells: list[str]) -> Votes:
    if len(cells) != len(COLUMNS) or not all(c.isascii() and c.isdecimal() for c in cells):
        raise DatasetError(
            f"{path}: line {line}: expected {len(COLUMNS)} counts of votes, found "
            f"{','.join(cells)[:80]!r}; get a whole table"
        )
    return tuple(map(int, cells))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and stripped cells; lines without any are left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            for cells in reader:
                if cells:
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: expected a CSV table of votes: {error}") from None
