"""Class folders, in those of splits (`train/happy/1.jpg`) or not (`happy/1.jpg`)."""

import os
import sys
from collections import defaultdict
from functools import cache

from facial_expression.core.errors import ArchiveError
from facial_expression.core.labels import FER2013_SPLITS, SPLIT_FOLDERS
from facial_expression.fetch.layouts.names import with_people
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import Files, is_junk

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
    divided = recognises(files)
    folders = [] if divided else [file.path.rpartition("/")[0] for file in files.pictures]
    top = os.path.commonpath(folders or [""])
    sets: dict[str, list[Row]] = defaultdict(list)
    lost = []
    for file in files.pictures:
        if divided:
            place = place_of(file.path)
        else:
            place = (top, "train", *file.path.removeprefix(top).lstrip("/").split("/"))
        if place is None or len(place) < 4:
            lost.append(file.path)
            continue
        around, split, label, *inner, name = place
        label = sys.intern(label.strip())  # one text object for all pictures
        sets[around].append(Row(split, label, "_".join([*inner, name]), file, "/".join(inner)))
    if not divided:
        people = {(row.group.partition("/")[0], row.label) for row in sets[top] if row.group}
        if len({person for person, _ in people}) < len(people):
            lost += folders  # a person in each class, or a class for each person?
    if lost or not files.pictures:
        raise ArchiveError(
            f"{files.where}: expected pictures in <split>/<class>/ folders, the split one of "
            f"{', '.join(SPLIT_FOLDERS)}, found {repr(min(lost)) if lost else 'none'}; sort them "
            "into train/<class>/ and test/<class>/, or set fetch.layout or fetch.table"
        )
    if not divided:
        classes = ", ".join(sorted({row.label for row in sets[top]}))
        print(
            f"{files.where}: no folders of splits, all is train: {classes[:200]}", file=sys.stderr
        )
    first = _without_copies(files, sets)
    rows = sets[first]
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


def _without_copies(files: Files, sets: dict[str, list[Row]]) -> str:
    """The folder of the set, where all others hold copies of its pictures."""
    first, *others = sorted(sets, key=lambda around: (len(around.split("/")), around))
    known = {row[:3]: row.file for row in sets[first]} if others else {}
    for other in others:
        for row in sets[other]:
            twin, file, where = known.get(row[:3]), row.file, files.where
            same = twin and twin.size == file.size and twin.content(where) == file.content(where)
            if not same:
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
    return first


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
