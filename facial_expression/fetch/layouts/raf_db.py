"""RAF-DB, basic expressions (Li, Deng and Du 2017), from its owners or as Kaggle has it.

From its owners: `EmoLabel/list_patition_label.txt`, `Image/aligned/train_00001_aligned.jpg` and, if
it is there, `Annotation/manual/train_00001_manu_attri.txt`, whose last lines are gender, race, age.
On Kaggle: `DATASET/train/1/train_00001_aligned.jpg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.layouts import folders
from facial_expression.fetch.rows import Label, Row, joined, table
from facial_expression.fetch.unpack import Files

CLASSES = {
    "1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry",
    "7": "neutral",
}  # fmt: skip
LIST, ATTRIBUTES = "/list_patition_label.txt", "_manu_attri.txt"
FACTS = {
    "sex": ("male", "female", "unsure"),
    "race": ("Caucasian", "African-American", "Asian"),
    "age": ("0-3", "4-19", "20-39", "40-69", "70+"),
}
"""The last three lines of a file of attributes, and what their numbers mean."""
ON_KAGGLE = re.compile(r"(?:^|/)(train|test)/[1-7]/\1_\d+_aligned\.jpg$")


def recognises(files: Files) -> bool:
    """Whether there is the list of labels, or every picture is named as on Kaggle."""
    if files.other(LIST):
        return True
    return bool(files.pictures) and all(ON_KAGGLE.search(file.path) for file in files.pictures)


def read(files: Files) -> list[Row]:
    """The aligned faces, in train and test."""
    if files.other(LIST):
        return joined(files, _labels(files), CLASSES)
    return [row._replace(label=CLASSES[row.label]) for row in folders.read(files)]


def _labels(files: Files) -> Iterator[Label]:
    attributes = {file.path.rpartition("/")[2]: file for file in files.other(ATTRIBUTES)}
    for row in table(files, files.other(LIST)[0], ("path", "label")):
        stem, dot, suffix = row["path"].rpartition(".")
        facts = {}
        if file := attributes.get(f"{stem}{ATTRIBUTES}"):
            numbers = files.text(file).split()[-len(FACTS) :]
            try:
                facts = {
                    name: values[int(number)]
                    for (name, values), number in zip(FACTS.items(), numbers, strict=True)
                }
            except (ValueError, IndexError):
                raise ArchiveError(
                    f"{files.where}: {file.path!r}: expected gender, race and age as last lines, "
                    f"found {' '.join(numbers)!r}; correct it"
                ) from None
        split = row["path"].partition("_")[0]
        path = f"{stem}_aligned{dot}{suffix}"
        yield Label(path, row["label"], split, path, facts=facts)
