"""Class folders, in those of splits (`train/happy/1.jpg`) or not (`happy/1.jpg`)."""

import os

from facial_expression.core.labels import SPLIT_FOLDERS
from facial_expression.fetch.layouts.names import with_people
from facial_expression.fetch.places import OF_A_SPLIT, only_set, place_of
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import Files, is_junk


def recognises(files: Files) -> bool:
    """Whether a picture lies in the folders of a split and a class."""
    return any(place_of(file.folder) for file in files.pictures)


def read(files: Files) -> list[Row]:
    """The pictures; those in one folder inside that of a class are a group.

    Of a data set that the source holds twice, the copy in deeper folders is left.  Without folders
    of splits, all is train.
    """
    sets, lost = dict[str, list[Row]](), list[str]()
    divided = recognises(files)
    top = "" if divided else os.path.commonpath([file.folder for file in files.pictures] or [""])
    for file in files.pictures:
        inside = file.folder if divided else f"train/{file.folder[len(top) :].strip('/')}"
        place = place_of(inside.rstrip("/"))
        if place and (divided or not OF_A_SPLIT.fullmatch(place[2])):
            around, split, label, *inner = place
            name = "_".join([*inner, file.name])
            sets.setdefault(around, []).append(Row(split, label, name, file, "/".join(inner)))
        else:
            lost.append(file.path)
    if not divided and (rows := sets.get("", [])):
        people = {(row.group.partition("/")[0], row.label) for row in rows if row.group}
        if len({person for person, _ in people}) < len(people):
            lost.append(rows[0].file.path)  # a person in each class, or a class for each person?
        if not lost:
            classes = ", ".join(sorted({row.label for row in rows}))
            files.note(f"no folders of splits, all is train: {classes[:200]}")
    if lost or not sets:
        raise files.fault(
            f"pictures in <split>/<class>/ folders, the split one of {', '.join(SPLIT_FOLDERS)}",
            repr(min(lost)) if lost else "none",
            "sort them into train/<class>/ and test/<class>/, or set fetch.layout or fetch.table",
        )
    first, rows = only_set(files, sets)
    filled = {row[:2] for row in rows}
    for around, split, label, *inner in filter(None, map(place_of, files.folders)):
        empty = around == first and not inner and (split, label) not in filled
        if empty and not is_junk(label) and split in {split for split, _ in filled}:
            found = f"none in '{split}/{label}'"
            remedy = "add some or remove the folder"
            raise files.fault("pictures in every class folder", found, remedy)
    return with_people(rows)
