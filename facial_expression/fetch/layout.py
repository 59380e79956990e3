"""Where the pictures of a source are -> `<split>/<class>/<name>`, the normalised archive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import IO, TypeVar

from facial_expression.core.errors import ArchiveError
from facial_expression.core.zips import write_zip
from facial_expression.fetch import fer2013_csv
from facial_expression.fetch.unpack import Files, Limits, is_junk, opened, reading
from facial_expression.pictures.archive import is_picture

Pictures = Iterator[tuple[str, Iterator[bytes]]]
"""Sorted member names, each with the pieces of its bytes, to be used up before the next."""

Key = TypeVar("Key")


def normalise(source: Path, out: Path, limits: Limits, where: str) -> int:
    """Write the pictures of `source` to `out` as a normalised archive.

    The same pictures give the same bytes, however they are packed, wrapped in folders and ordered.
    The names of the files say which layout it is: class folders or fer2013.csv, a reader each.

    Args:
        source: what `unpack.opened` reads.
        out: the file to write; temporary files lie beside it.
        limits: how much the source may unpack to.
        where: the source, for messages.

    Returns:
        The number of pictures.

    Raises:
        ArchiveError: the source is empty, corrupt, dangerous, or has no pictures in
            `<split>/<class>/` folders.
    """
    with (
        opened(source, limits, where, out.parent) as files,
        tempfile.TemporaryFile(dir=out.parent) as scratch,
    ):
        if any(is_wanted(file.path) for file in files.found):
            return write_zip(out, _in_class_folders(files, limits))
        return write_zip(out, _in_table(files, limits, scratch))


def is_wanted(path: str) -> bool:
    """Whether a path is that of a picture."""
    return is_picture(path) and not is_junk(path)


def arrange(
    pictures: Iterable[tuple[str, Key]], where: str, folders: Iterable[str] = ()
) -> list[tuple[str, Key]]:
    """Strip the folders that wrap all pictures, refuse names that collide, sort by name.

    Args:
        pictures: pairs of a safe path and whatever finds the picture again.
        where: the source, for messages.
        folders: paths of the source's folders, to find those of classes without a picture.

    Raises:
        ArchiveError: there is no picture, a class folder holds none, a path has fewer than three
            parts, pictures have different wrapping folders, or two names differ in case only.
    """
    arranged: list[tuple[str, Key]] = []
    wrapper: str | None = None
    for path, key in pictures:
        parts = path.split("/")
        if len(parts) < 3:
            raise ArchiveError(
                f"{where}: expected pictures in <split>/<class>/ folders, found {path!r}; "
                "sort them into train/<class>/ and test/<class>/"
            )
        folder = "/".join(parts[:-3])
        if wrapper is None:
            wrapper = folder
        if folder != wrapper:
            raise ArchiveError(
                f"{where}: expected one set of <split>/<class>/<name>, found pictures under "
                f"{wrapper!r} and {folder!r}; keep one, or move them to one depth"
            )
        arranged.append(("/".join(parts[-3:]), key))
    if not arranged:
        raise ArchiveError(
            f"{where}: expected pictures in <split>/<class>/ folders, found none; "
            "put train/<class>/ and test/<class>/ there"
        )
    arranged.sort(key=lambda item: item[0])
    names = [name for name, _ in arranged]
    _refuse_empty_classes(folders, wrapper or "", names, where)
    _refuse_collisions(names, where)
    return arranged


def _in_class_folders(files: Files, limits: Limits) -> Pictures:
    wanted = [(file.path, file) for file in files.found if is_wanted(file.path)]
    total = sum(file.size for _, file in wanted)
    limits.check(total, len(wanted), total, files.where)
    arranged = arrange(wanted, files.where, files.folders)
    # A million members take a gigabyte here and another one in the zip that is written, so each is
    # freed before the next is written.
    files.found.clear()
    wanted.clear()
    arranged.reverse()
    while arranged:
        name, file = arranged.pop()
        yield name, files.pieces(file)


def _in_table(files: Files, limits: Limits, scratch: IO[bytes]) -> Pictures:
    """The rows of fer2013.csv; they come unsorted, so `scratch` keeps them until all are read."""
    kept: list[tuple[str, int]] = []
    for file in files.found:
        if file.path.rpartition("/")[2].lower() == "fer2013.csv" and not is_junk(file.path):
            with reading(files.where), files.open(file) as table:
                for path, content in fer2013_csv.pictures(table, files.where):
                    kept.append((path, scratch.tell()))
                    scratch.write(content)
                    limits.check(scratch.tell(), len(kept), scratch.tell(), files.where)
    for name, start in arrange(kept, files.where):
        scratch.seek(start)
        yield name, iter([scratch.read(fer2013_csv.SIZE)])


def _refuse_empty_classes(
    folders: Iterable[str], wrapper: str, names: list[str], where: str
) -> None:
    """Refuse a folder at the depth of a class, of a split that is used, that holds no picture."""
    filled = {name.rpartition("/")[0] for name in names}
    splits = {folder.partition("/")[0] for folder in filled}
    prefix = f"{wrapper}/" if wrapper else ""
    for folder in folders:
        inside = folder.removeprefix(prefix)
        split, _, label = inside.partition("/")
        if is_junk(folder) or not folder.startswith(prefix) or split not in splits:
            continue
        if label and "/" not in label and inside not in filled:
            raise ArchiveError(
                f"{where}: expected pictures in every class folder, found none in {inside!r}; "
                "add some or remove the folder"
            )


def _refuse_collisions(names: list[str], where: str) -> None:
    """Refuse names that would be one file on a disk that ignores case, and such folders."""
    folders = [list(group) for _, group in groupby(names, key=lambda name: name.rpartition("/")[0])]
    for paths in ([group[0].rpartition("/")[0] for group in folders], *folders):
        for left, right in pairwise(sorted(paths, key=str.casefold)):
            if left.casefold() == right.casefold():
                raise ArchiveError(
                    f"{where}: expected distinct names, found {left!r} and {right!r}; rename one"
                )
