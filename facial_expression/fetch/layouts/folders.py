"""Class folders, in those of splits (`train/happy/1.jpg`) or not (`happy/1.jpg`)."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from facial_expression.core.errors import ArchiveError
from facial_expression.core.labels import FER2013_SPLITS, SPLIT_FOLDERS
from facial_expression.fetch.layouts.names import with_people
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import File, Files, is_junk

SPLITS = {
    **{name: name for name in SPLIT_FOLDERS},
    **{"training": "train", "dev": "val", "testing": "test", "eval": "test"},
    **{name.lower(): split for name, split in FER2013_SPLITS.items()},
}
"""What the folder of a split may be called, in lower case -> its folder in images.zip."""


def recognises(files: Files) -> bool:
    """Whether a picture lies in the folders of a split and a class."""
    return any(place_of(file.path) for file in files.pictures)


def read(files: Files) -> list[Row]:
    """The pictures; those in one folder inside that of a class are a group.

    Of a data set that the source holds twice, the copy in deeper folders is left.  Without folders
    of splits, all is train.

    Raises:
        ArchiveError: there is no picture, a class folder holds none, a picture is not in the folder
            of a class, or there are several data sets.
    """
    if not recognises(files):
        return _without_splits(files)
    sets: dict[str, list[Row]] = defaultdict(list)
    lost = []
    for file in files.pictures:
        if place := place_of(file.path):
            around, split, label, *inner, name = place
            sets[around].append(_row(split, label, inner, name, file))
        else:
            lost.append(file)
    if lost:
        raise _lost(files, lost)
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
    filled = {row[:2] for row in rows}
    splits = {split for split, _ in filled}
    for path in files.folders:
        place = place_of(f"{path}/x")
        if place is None or len(place) != 4 or place[0] != first or is_junk(path):
            continue
        if place[1] in splits and place[1:3] not in filled:
            raise ArchiveError(
                f"{files.where}: expected pictures in every class folder, found none in "
                f"'{place[1]}/{place[2]}'; add some or remove the folder"
            )
    return with_people(rows)


def place_of(path: str) -> tuple[str, ...] | None:
    """The folders around a data set; split, class, folders in that, name.  None without a split.

    The split is the first folder with the name of one, or the last of several in a row.

    >>> place_of("download/faces/Train/happy/may/1.jpg")
    ('download/faces', 'train', 'happy', 'may', '1.jpg')
    """
    folder, _, name = path.rpartition("/")
    return (*place, name) if (place := _place(folder)) else None


@cache  # pictures outnumber folders
def _place(folder: str) -> tuple[str, ...] | None:
    parts = folder.split("/")
    splits = [SPLITS.get(part.lower(), "") for part in parts[:-1]]
    start = next((place for place, split in enumerate(splits) if split), None)
    if start is None:
        return None
    while any(splits[start + 1 : start + 2]):
        start += 1
    return "/".join(parts[:start]), splits[start], parts[start + 1].strip(), *parts[start + 2 :]


def _without_splits(files: Files) -> list[Row]:
    folders = [file.path.rpartition("/")[0] for file in files.pictures]
    top = os.path.commonpath(folders or [""])
    rows, lost = [], []
    holders: dict[str, set[str]] = defaultdict(set)
    for file in files.pictures:
        label, *inner = file.path.removeprefix(top).lstrip("/").split("/")
        if not inner:
            lost.append(file)
            continue
        rows.append(_row("train", label, inner[:-1], inner[-1], file))
        for folder in inner[:-1][:1]:
            holders[folder].add(label)
            if len(holders[folder]) > 1:  # a person in each class, or a class for each person?
                lost.append(file)
    if lost or not rows:
        raise _lost(files, lost)
    classes = ", ".join(sorted({row.label for row in rows}))
    print(f"{files.where}: no folders of splits, all is train: {classes[:200]}", file=sys.stderr)
    return with_people(rows)


def _row(split: str, label: str, inner: list[str], name: str, file: File) -> Row:
    label = sys.intern(label.strip())  # one text object for all pictures
    return Row(split, label, "_".join([*inner, name]), file, "/".join(inner))


def _lost(files: Files, lost: Iterable[File]) -> ArchiveError:
    found = repr(min((file.path for file in lost), default="none")) if lost else "none"
    return ArchiveError(
        f"{files.where}: expected pictures in <split>/<class>/ folders, the split one of "
        f"{', '.join(SPLIT_FOLDERS)}, found {found}; sort them into train/<class>/ and "
        "test/<class>/, or set fetch.layout or fetch.table"
    )


def _equal(one: File, other: File, where: str) -> bool:
    return one.size == other.size and one.content(where) == other.content(where)
