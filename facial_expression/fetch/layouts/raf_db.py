"""RAF-DB, basic expressions (Li, Deng and Du 2017), from its owners or as Kaggle has it.

From its owners: `EmoLabel/list_patition_label.txt`, `Image/aligned/train_00001_aligned.jpg` and, if
it is there, `Annotation/manual/train_00001_manu_attri.txt`, whose last lines are gender, race, age.
On Kaggle: `DATASET/train/1/train_00001_aligned.jpg`.
"""

import re

from facial_expression.fetch.layouts import folders
from facial_expression.fetch.rows import Row, joined, table
from facial_expression.fetch.unpack import File, Files

NAMES = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
CLASSES = {str(number): name for number, name in enumerate(NAMES, 1)}
LIST, ATTRIBUTES = "/list_patition_label.txt", "_manu_attri.txt"
FACTS = {
    "sex": {"0": "male", "1": "female", "2": "unsure"},
    "race": {"0": "Caucasian", "1": "African-American", "2": "Asian"},
    "age": {"0": "0-3", "1": "4-19", "2": "20-39", "3": "40-69", "4": "70+"},
}
"""The last three lines of a file of attributes, and what their numbers mean."""
ON_KAGGLE = re.compile(r"(?:^|/)(train|test)/[1-7]/\1_\d+_aligned\.jpg$")


def recognises(files: Files) -> bool:
    """Whether there is the list of labels, or every picture is named as on Kaggle."""
    on_kaggle = (ON_KAGGLE.search(file.path) for file in files.pictures)
    return bool(files.other(LIST)) or (bool(files.pictures) and all(on_kaggle))


def read(files: Files) -> list[Row]:
    """The aligned faces, in train and test; `fetch.classes` may name the numbers of folders."""
    if not files.other(LIST) and recognises(files):
        names = {} if files.params.classes else CLASSES
        rows = folders.read(files)
        return [row._replace(label=names.get(row.label, row.label)) for row in rows]
    said = table(files, LIST, {}, sep=r"\s+", header=None, names=["path", "label"])
    stem = said["path"].str.removesuffix(".jpg")
    path, split = stem + "_aligned.jpg", stem.str.partition("_")[0]
    found = {file.name: file for file in files.other(ATTRIBUTES)}
    facts = [_facts(files, found.get(f"{name}{ATTRIBUTES}")) for name in stem]
    said = said.assign(path=path, split=split, name=path, facts=facts)
    return joined(files, said.to_dict("records"), CLASSES)


def _facts(files: Files, file: File | None) -> dict[str, str]:
    if file is None:
        return {}
    numbers = files.text(file).split()[-3:]
    try:
        pairs = zip(FACTS.items(), numbers, strict=True)
        return {name: meanings[number] for (name, meanings), number in pairs}
    except (KeyError, ValueError):
        what, found = "gender, race and age as last lines", repr(" ".join(numbers))
        raise files.fault(what, found, "correct it", file.path) from None
