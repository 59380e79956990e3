"""AffectNet (Mollahosseini et al. 2017), both ways in which it has been given out.

The older: `training.csv` and `validation.csv` with the columns `subDirectory_filePath`, `face_x`,
`face_y`, `face_width`, `face_height`, `expression`; faces are cut out by their box.  The newer:
`train_set/images/0.jpg` and `train_set/annotations/0_exp.npy`, and so for `val_set`.
"""

import io
from collections.abc import Iterator

from facial_expression.fetch.rows import Row, joined, table
from facial_expression.fetch.unpack import Files, reading

NAMES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
CLASSES = {str(number): name for number, name in enumerate(NAMES)}
LEFT_OUT = {"8": "of no expression", "9": "uncertain", "10": "of no face"}
TABLES = {"/training.csv": "train", "/validation.csv": "val"}
PATH, BOX = "subDirectory_filePath", ("face_x", "face_y", "face_width", "face_height")
ANNOTATION = "_exp.npy"


def recognises(files: Files) -> bool:
    """Whether there are annotations, or a table with AffectNet's name of the path."""
    heads = (files.head(file) for file in files.other(*TABLES))
    return bool(files.other(ANNOTATION)) or any(PATH.encode() in head for head in heads)


def read(files: Files) -> list[Row]:
    """The pictures of the eight expressions, in train and val."""
    if files.other(ANNOTATION):
        return joined(files, _annotations(files), CLASSES, LEFT_OUT)
    import pandas as pd

    columns = {PATH: str, "expression": str, **dict.fromkeys(BOX, float)}
    here = [ending for ending in TABLES if files.other(ending)] or TABLES
    said = pd.concat(  # without the landmarks, nine tenths of the bytes
        table(files, name, columns, usecols=list(columns)).assign(split=TABLES[name])
        for name in here
    )
    left, top, width, height = (said[name] for name in BOX)
    said = said.assign(left=left, top=top, right=left + width, bottom=top + height)
    said = said.rename(columns={PATH: "path", "expression": "label"})
    return joined(files, said.to_dict("records"), CLASSES, LEFT_OUT)


def _annotations(files: Files) -> Iterator[dict[str, str]]:
    import numpy as np

    pictures = {file.path.rpartition(".")[0]: file.path for file in files.pictures}
    for file in files.other(ANNOTATION):
        files.used.add(file.path)
        stem = file.path.removesuffix(ANNOTATION).replace("annotations/", "images/")
        with reading(f"{files.where}: {file.path!r}"):
            array = np.load(io.BytesIO(files.content(file)), allow_pickle=False)
            label = str(int(array.item()))
        path = pictures.get(stem, f"{stem}.jpg")
        split = "val" if "val_set/" in stem else "train"
        yield {"path": path, "label": label, "split": split, "name": path.rpartition("/")[2]}
