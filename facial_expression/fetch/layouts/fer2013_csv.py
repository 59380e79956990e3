"""The challenge's fer2013.csv (Goodfellow et al. 2013) -> the folder copy's layout, lossless."""

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import IO

from tqdm import tqdm

from facial_expression.core.errors import ArchiveError
from facial_expression.core.labels import FER2013_IDS
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import File, Files, reading

COLUMNS = ("emotion", "pixels", "usage")
SIDE = 48
SPLITS = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
HEADER = f"P5\n{SIDE} {SIDE}\n255\n".encode()  # a binary grey map: the pixels as they are
SIZE = len(HEADER) + SIDE * SIDE
"""Bytes of each picture."""
LONGEST_LINE = 1 << 16  # characters; a row has some 9,000

_LEVELS = {str(level): level for level in range(256)}


def recognises(files: Files) -> bool:
    """Whether there is such a table, and no picture."""
    return bool(files.others["table"]) and not files.pictures


def read(files: Files) -> list[Row]:
    """The rows of the only table, as files on the disk: they come unsorted.

    Raises:
        ArchiveError: there are two tables, or `pictures` finds a fault.
    """
    tables = files.others["table"]
    if len(tables) != 1:
        found = " and ".join(repr(table.path) for table in tables[:2]) or "none"
        raise ArchiveError(f"{files.where}: expected one fer2013.csv, found {found}; leave one")
    table = tables[0]
    names: list[str] = []

    def contents() -> Iterator[bytes]:
        with reading(files.where), table.open() as stream:
            read = pictures(stream, files.where)
            for name, content in tqdm(read, "fetch", unit=" rows", leave=False, disable=None):
                names.append(files.admit(name, files.where))
                yield content

    stream = files.stack.enter_context(files.spool(contents(), table.path).open())

    def opener(place: int) -> IO[bytes]:
        stream.seek(place)
        return io.BytesIO(stream.read(SIZE))

    if not names:
        raise ArchiveError(f"{files.where}: expected rows, found none; get a whole fer2013.csv")
    rows = []
    for number, path in enumerate(names):
        split, label, name = path.split("/")
        rows.append(Row(split, label, name, File(path, SIZE, number * SIZE, opener)))
    return rows


def pictures(stream: IO[bytes], where: str) -> Iterator[tuple[str, bytes]]:
    """Yield (`<split>/<class>/<Usage>_<row>.pgm`, bytes of that file) for each row, from row 0.

    Args:
        stream: the table, in UTF-8.
        where: the table, for messages.

    Raises:
        ArchiveError: a column is missing, or a row has an unknown emotion or Usage, or not 2304
            values in 0..255; the message names the row and its line.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    lines = iter(lambda: text.readline(LONGEST_LINE), "")
    try:
        header = next(lines, "")
        mark = max(",;\t", key=header.count)  # spreadsheets write others than the comma
        reader = csv.reader(chain([header], lines), delimiter=mark)
        rows = (cells for cells in reader if any(map(str.strip, cells)))  # no blank lines
        columns = [name.strip() for name in next(rows, [])]
        lower = [name.lower() for name in columns]
        if not set(COLUMNS) <= set(lower):
            raise ArchiveError(
                f"{where}: expected the columns emotion, pixels, Usage, found "
                f"{', '.join(columns)[:80]!r}; give the challenge's fer2013.csv"
            )
        order = [lower.index(name) for name in COLUMNS]
        for row, cells in enumerate(rows):
            try:
                yield _picture(row, [cells[column].strip() for column in order])
            except (ValueError, IndexError) as fault:
                reason = fault if isinstance(fault, ValueError) else "a column is missing"
                place = f"{where}: row {row} (line {reader.line_num})"
                raise ArchiveError(f"{place}: {reason}; get a whole fer2013.csv") from None
    except csv.Error as error:
        raise ArchiveError(f"{where}: expected a CSV table: {error}") from None


def _picture(row: int, cells: list[str]) -> tuple[str, bytes]:
    emotion, pixels, usage = cells
    if emotion not in list("0123456"):
        raise ValueError(f"expected an emotion 0..6, found {emotion[:20]!r}")
    if usage not in SPLITS:
        raise ValueError(f"expected a Usage of {', '.join(SPLITS)}, found {usage[:20]!r}")
    try:
        values = bytes(map(_LEVELS.__getitem__, pixels.split()))
    except KeyError as error:
        raise ValueError(f"expected pixels 0..255, found {str(error.args[0])[:20]!r}") from None
    if len(values) != SIDE * SIDE:
        raise ValueError(f"expected {SIDE * SIDE} pixels, found {len(values)}")
    name = f"{SPLITS[usage]}/{FER2013_IDS[int(emotion)]}/{usage}_{row}.pgm"
    return name, HEADER + values
