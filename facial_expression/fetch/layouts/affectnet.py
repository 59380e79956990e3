"""AffectNet (Mollahosseini et al. 2017), both ways in which it has been given out.

The older: `training.csv` and `validation.csv` with the columns `subDirectory_filePath`, `face_x`,
`face_y`, `face_width`, `face_height`, `expression`; faces are cut out by their box.  The newer:
`train_set/images/0.jpg` and `train_set/annotations/0_exp.npy`, and so for `val_set`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from facial_expression.fetch.rows import Label, Row, joined, table
from facial_expression.fetch.unpack import Files, corrupt

CLASSES = {
    "0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear", "5": "disgust",
    "6": "angry", "7": "contempt",
}  # fmt: skip
LEFT_OUT = {"8": "of no expression", "9": "uncertain", "10": "of no face"}
BOX = ("face_x", "face_y", "face_width", "face_height")
TABLES = ("training.csv", "validation.csv")


def recognises(files: Files) -> bool:
    """Whether there are annotations, or tables with AffectNet's name of the path."""
    tables = (files.text(file) for file in files.other(*TABLES))
    return any("subDirectory_filePath" in text[:200] for text in tables) or any(
        "/annotations/" in f"/{file.path}" for file in files.other("_exp.npy")
    )


def read(files: Files) -> list[Row]:
    """The pictures of the eight expressions, in train and val."""
    labels = _annotations(files) if files.other("_exp.npy") else _tables(files)
    return joined(files, labels, CLASSES, LEFT_OUT)


def _tables(files: Files) -> Iterator[Label]:
    for file in files.other(*TABLES):
        split = "val" if file.path.lower().endswith(TABLES[1]) else "train"
        for row in table(files, file):
            try:
                left, top, width, height = (float(row[name]) for name in BOX)
                path, label = row["subDirectory_filePath"], row["expression"]
            except (KeyError, ValueError) as error:
                raise corrupt(f"{files.where}: {file.path!r}", f"column {error}") from None
            box = (left, top, left + width, top + height) if width > 0 and height > 0 else None
            yield Label(path, label, split, box=box)


def _annotations(files: Files) -> Iterator[Label]:
    import numpy as np

    pictures = {file.path.rpartition(".")[0]: file.path for file in files.pictures}
    for file in files.other("_exp.npy"):
        files.used.add(file.path)
        stem = file.path.removesuffix("_exp.npy").replace("annotations/", "images/")
        try:
            label = int(np.load(io.BytesIO(file.content(files.where)), allow_pickle=False))
        except ValueError as error:
            raise corrupt(f"{files.where}: {file.path!r}", str(error)) from None
        name = pictures.get(stem, f"{stem}.jpg")
        split = "val" if "val_set/" in f"/{stem}" else "train"
        yield Label(name, str(label), split, name.rpartition("/")[2])
