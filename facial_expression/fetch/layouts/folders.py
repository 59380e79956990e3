"""Class folders, `<split>/<class>/`, with any folders around and in them."""

from __future__ import annotations

import sys
from collections import defaultdict

from facial_expression.core.errors import ArchiveError
from facial_expression.core.labels import SPLIT_FOLDERS
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import File, Files, is_junk


def read(files: Files) -> list[Row]:
    """The pictures; of a data set that the source holds twice, the copy in deeper folders is left.

    Raises:
        ArchiveError: there is no picture, a class folder holds none, a picture is not in a folder
            of a split and a class, or there are several data sets.
    """
    sets: dict[str, list[Row]] = defaultdict(list)
    lost = []
    for file in files.pictures:
        if place := place_of(file.path):
            sets[place[0]].append(Row(*place[1:], file))
        else:
            lost.append(file.path)
    if lost or not sets:
        raise ArchiveError(
            f"{files.where}: expected pictures in <split>/<class>/ folders, the split one of "
            f"{', '.join(SPLIT_FOLDERS)}, found {repr(min(lost)) if lost else 'none'}; "
            "sort them into train/<class>/ and test/<class>/"
        )
    first, *others = sorted(sets, key=lambda around: (len(around.split("/")), around))
    rows = sets[first]
    known = {row[:3]: row.file for row in rows} if others else {}
    for other in others:
        for row in sets[other]:
            twin = known.get(row[:3])
            if twin is None or not _equal(twin, row.file, files.where):
                raise ArchiveError(
                    f"{files.where}: expected one set of <split>/<class>/<name>, found one in "
                    f"{first or '.'!r} and another picture, {row.file.path!r}; keep one, or merge "
                    "them"
                )
        print(
            f"{files.where}: the {len(sets[other])} pictures in {other!r} are copies of those in "
            f"{first or '.'!r}: read once",
            file=sys.stderr,
        )
    _refuse_empty_classes(files, first, {row[:2] for row in rows})
    return rows


def place_of(path: str) -> tuple[str, str, str, str] | None:
    """The folders around a data set; split, class and name in it.  None without such folders.

    The split is the first folder with the name of one, or the last of several in a row.  Folders
    inside that of a class become part of the name.

    >>> place_of("download/faces/train/happy/2026/may/1.jpg")
    ('download/faces', 'train', 'happy', '2026_may_1.jpg')
    """
    parts = path.split("/")
    splits = [part in SPLIT_FOLDERS for part in parts[:-2]]
    if True not in splits:
        return None
    start = splits.index(True)
    while splits[start + 1 : start + 2] == [True]:
        start += 1
    split, label = map(sys.intern, parts[start : start + 2])  # one text object for all pictures
    return "/".join(parts[:start]), split, label, "_".join(parts[start + 2 :])


def _equal(one: File, other: File, where: str) -> bool:
    return one.size == other.size and one.content(where) == other.content(where)


def _refuse_empty_classes(files: Files, around: str, filled: set[tuple[str, str]]) -> None:
    """Refuse the folder of a class without a picture, in that of a split that has some."""
    splits = {split for split, _ in filled}
    for path in files.folders:
        found, split, label, name = place_of(f"{path}/x") or ("", "", "", "")
        if (found, name) != (around, "x") or (split, label) in filled or is_junk(path):
            continue
        if split in splits:
            raise ArchiveError(
                f"{files.where}: expected pictures in every class folder, found none in "
                f"'{split}/{label}'; add some or remove the folder"
            )
