"""The pictures of a source -> images.zip, the normalised archive, and people.csv."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

from tqdm import tqdm

from facial_expression.core.errors import ArchiveError
from facial_expression.core.files import write_zip
from facial_expression.fetch.layouts import fer2013_csv, folders
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import Files, opened

PASSED_OVER = {
    "HEIF": ".heic (install the extra heic)",
    "AVIF": ".avif (install a Pillow that reads it)",
    "archive": "packed (unpack them), e.g. {}",
    "": "not pictures, e.g. {}",
}


def normalise(source: Path, out: Path, params: FetchParameters, where: str) -> int:
    """Write the pictures of `source` to `out` as a normalised archive; return their number.

    The same pictures give the same bytes, however they are packed, wrapped in folders and ordered.
    Where there are no picture files, a table like fer2013.csv is read.  One line on stderr says
    what is passed over.  Messages call the source `where`; temporary files lie beside `out`.

    Raises:
        ArchiveError: the source is empty, corrupt, dangerous, or has no pictures in
            `<split>/<class>/` folders.
    """
    with opened(source, params, where, out.parent) as files:
        if line := _passed_over(files):
            print(line, file=sys.stderr)
        layout = fer2013_csv if files.others["table"] and not files.pictures else folders
        rows = [(f"{row.split}/{row.label}/{row.name}", row) for row in layout.read(files)]
        rows.sort(key=itemgetter(0))
        _refuse_collisions(rows, where)
        files.pictures.clear()  # a million of them take a gigabyte
        return write_zip(out, _contents(rows, where))


def _contents(rows: list[tuple[str, Row]], where: str) -> Iterator[tuple[str, bytes]]:
    rows.reverse()  # so that each is freed before the next is read
    for _ in tqdm(range(len(rows)), "fetch", unit=" pictures", leave=False, disable=None):
        name, row = rows.pop()
        yield name, row.file.content(where)


def _passed_over(files: Files) -> str:
    """One line about the files that are neither read nor hidden, "" if there are none."""
    found = {kind: files.others[kind] for kind in PASSED_OVER if files.others[kind]}
    count = sum(map(len, found.values()))
    parts = [
        f"{len(those)} {PASSED_OVER[kind].format(min(file.path for file in those))}"
        for kind, those in found.items()
    ]
    noun = "file" if count == 1 else "files"
    return f"{files.where}: {count} {noun} passed over: {', '.join(parts)}" if parts else ""


def _refuse_collisions(rows: list[tuple[str, Row]], where: str) -> None:
    """Refuse names and classes that would be one on a disk that ignores case."""
    classes: dict[str, str] = {}
    paths: dict[str, str] = {}
    for name, row in rows:
        same = name.casefold()
        first, second = classes.setdefault(row.label.casefold(), row.label), row.label
        if first == second and same in paths:
            first, second = paths[same], row.file.path
        elif first == second:
            paths[same] = row.file.path
            continue
        both = " and ".join(sorted([repr(first), repr(second)]))
        raise ArchiveError(f"{where}: expected distinct names, found {both}; rename one")
