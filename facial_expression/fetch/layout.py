"""Where the pictures of a source are -> `<split>/<class>/<name>`, the normalised archive."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path

from tqdm import tqdm

from facial_expression.core.errors import ArchiveError
from facial_expression.core.files import write_zip
from facial_expression.core.labels import SPLIT_FOLDERS
from facial_expression.fetch import fer2013_csv
from facial_expression.fetch.unpack import File, Files, Limits, is_junk, opened, reading

Pictures = Iterator[tuple[str, Iterator[bytes]]]
"""Sorted member names, each with the pieces of its bytes, to be used up before the next."""


def normalise(source: Path, out: Path, limits: Limits, where: str) -> int:
    """Write the pictures of `source` to `out` as a normalised archive; return their number.

    The same pictures give the same bytes, however they are packed, wrapped in folders and ordered.
    Where there are no picture files, a table like fer2013.csv is read.  One line on stderr says
    what is passed over.  Messages call the source `where`; temporary files lie beside `out`.

    Raises:
        ArchiveError: the source is empty, corrupt, dangerous, or has no pictures in
            `<split>/<class>/` folders.
    """
    with opened(source, limits, where, out.parent) as files:
        if line := files.passed_over():
            print(line, file=sys.stderr)
        if files.pictures or not files.tables:
            return write_zip(out, _in_class_folders(files))
        return write_zip(out, _in_table(files))


def place_of(path: str) -> tuple[str, str] | None:
    """The folders around a data set and `<split>/<class>/<name>` in it, None without such folders.

    The split is the first folder with the name of one, or the last of several in a row.  Folders
    inside that of a class become part of the name.

    >>> place_of("download/faces/train/happy/2026/may/1.jpg")
    ('download/faces', 'train/happy/2026_may_1.jpg')
    """
    parts = path.split("/")
    splits = [part in SPLIT_FOLDERS for part in parts[:-2]]
    if True not in splits:
        return None
    start = splits.index(True)
    while splits[start + 1 : start + 2] == [True]:
        start += 1
    split, label, *name = parts[start:]
    return "/".join(parts[:start]), f"{split}/{label}/{'_'.join(name)}"


def _in_class_folders(files: Files) -> Pictures:
    """The pictures; of a data set that the source holds twice, the copy in deeper folders is left.

    Raises:
        ArchiveError: there is no picture, a class folder holds none, a picture is not in a folder
            of a split and a class, there are several data sets, or two names differ in case only.
    """
    where, found = files.where, files.pictures
    files.limits.check(total := sum(file.size for file in found), len(found), total, where)
    sets: dict[str, list[tuple[str, File]]] = {}
    lost = []
    for file in found:
        if place := place_of(file.path):
            sets.setdefault(place[0], []).append((place[1], file))
        else:
            lost.append(file.path)
    if lost or not sets:
        raise ArchiveError(
            f"{where}: expected pictures in <split>/<class>/ folders, the split one of "
            f"{', '.join(SPLIT_FOLDERS)}, found {repr(min(lost)) if lost else 'none'}; "
            "sort them into train/<class>/ and test/<class>/"
        )
    wrapper, *others = sorted(sets, key=lambda folder: (len(folder.split("/")), folder))
    arranged = sorted(sets.pop(wrapper), key=lambda item: item[0])
    known = dict(arranged) if others else {}
    for other in others:
        for name, file in sets[other]:
            twin = known.get(name)
            if not (
                twin
                and twin.size == file.size
                and b"".join(twin.pieces(where)) == b"".join(file.pieces(where))
            ):
                raise ArchiveError(
                    f"{where}: expected one set of <split>/<class>/<name>, found one in "
                    f"{wrapper or '.'!r} and another picture, {file.path!r}; keep one, or merge "
                    "them"
                )
        print(
            f"{where}: the {len(sets[other])} pictures in {other!r} are copies of those in "
            f"{wrapper or '.'!r}: read once",
            file=sys.stderr,
        )
    folders = set()
    for folder, group in groupby(arranged, key=lambda item: item[0].rpartition("/")[0]):
        _refuse_collisions([(name, file.path) for name, file in group], where)
        folders.add(folder)
    _refuse_collisions([(folder, folder) for folder in folders], where)
    _refuse_empty_classes(files, wrapper, folders)
    # A million members take a gigabyte here and another one in the zip that is written, so each is
    # freed before the next is written.
    for held in (found, sets, known):
        held.clear()
    arranged.reverse()
    for _ in tqdm(range(len(arranged)), "fetch", unit=" pictures", leave=False, disable=None):
        name, file = arranged.pop()
        yield name, file.pieces(where)


def _in_table(files: Files) -> Pictures:
    """The rows of fer2013.csv; they come unsorted, so a file keeps them until all are read."""
    table, *more = files.tables
    if more:
        raise ArchiveError(
            f"{files.where}: expected one table, found {table.path!r} and {more[0].path!r}; "
            "leave one"
        )
    kept: list[tuple[str, int]] = []
    with tempfile.TemporaryFile(dir=files.scratch) as rows:
        with reading(files.where), table.open() as stream:
            read = fer2013_csv.pictures(stream, files.where)
            for path, content in tqdm(read, "fetch", unit=" rows", leave=False, disable=None):
                kept.append((path, rows.tell()))
                rows.write(content)
                files.limits.check(rows.tell(), len(kept), rows.tell(), files.where)
        if not kept:
            raise ArchiveError(f"{files.where}: expected rows, found none; get a whole fer2013.csv")
        for name, start in sorted(kept):
            rows.seek(start)
            yield name, iter([rows.read(fer2013_csv.SIZE)])


def _refuse_empty_classes(files: Files, wrapper: str, filled: set[str]) -> None:
    """Refuse the folder of a class without a picture, in that of a split that has some."""
    splits = {folder.partition("/")[0] for folder in filled}
    for path in files.folders:
        around, name = place_of(f"{path}/x") or ("", "")
        folder, _, rest = name.rpartition("/")
        if around != wrapper or rest != "x" or is_junk(path) or folder in filled:
            continue
        if folder.partition("/")[0] in splits:
            raise ArchiveError(
                f"{files.where}: expected pictures in every class folder, found none in "
                f"{folder!r}; add some or remove the folder"
            )


def _refuse_collisions(names: list[tuple[str, str]], where: str) -> None:
    """Refuse names, each with its path, that would be one on a disk that ignores case."""
    folded = sorted((name.casefold(), path) for name, path in names)
    for (one, left), (two, right) in pairwise(folded):
        if one == two:
            raise ArchiveError(
                f"{where}: expected distinct names, found {left!r} and {right!r}; rename one"
            )
