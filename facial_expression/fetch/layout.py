"""Member paths of any source -> `<split>/<class>/<name>`, or a refusal of what is unsafe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby, pairwise
from typing import TypeVar

from facial_expression.core.errors import ArchiveError
from facial_expression.pictures.archive import is_picture

LONGEST = 1000  # characters of a member path
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # the last: bytes that are not UTF-8

Key = TypeVar("Key")


def safe_path(name: str, where: str) -> str:
    """`name` with `/` between its parts, without `.` parts, in Unicode's composed form (NFC).

    Archives made on Windows may separate by backslashes, those made on a Mac decompose accents;
    the same pictures must have the same names.

    Raises:
        ArchiveError: the path is absolute, climbs out, or cannot be a file's name everywhere.
    """
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or path[1:2] == ":":
        raise _unsafe(name, where, "is an absolute path")
    if ".." in parts:
        raise _unsafe(name, where, "climbs out of the archive")
    if len(path) > LONGEST or UNPRINTABLE.search(path):
        raise _unsafe(name[:80], where, "is too long or holds control characters or is not UTF-8")
    return "/".join(parts)


def is_junk(path: str) -> bool:
    """Whether a path is hidden (`.DS_Store`, `._x`) or inside the Mac's `__MACOSX`."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


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
            parts, pictures have different wrapping folders, or two names are equal but for their
            case.
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
    _refuse_empty_classes(folders, wrapper or "", [name for name, _ in arranged], where)
    _refuse_collisions([name for name, _ in arranged], where)
    return arranged


def _refuse_empty_classes(
    folders: Iterable[str], wrapper: str, names: list[str], where: str
) -> None:
    """Refuse a folder at the depth of a class, of a split that is used, that holds no picture."""
    filled = {name.rpartition("/")[0] for name in names}
    splits = {folder.partition("/")[0] for folder in filled}
    prefix = f"{wrapper}/" if wrapper else ""
    for folder in folders:
        inside = folder.rstrip("/").removeprefix(prefix)
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


def _unsafe(name: str, where: str, fault: str) -> ArchiveError:
    return ArchiveError(f"{where}: the member {name!r} {fault}; do not trust this source")
