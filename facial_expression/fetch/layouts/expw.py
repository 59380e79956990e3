"""ExpW (Zhang et al. 2018): photographs, and `label/label.lst` with a line for each face in them.

A line is: picture, number of the face, top, left, right, bottom, confidence of the detector, label.
"""

from __future__ import annotations

from collections.abc import Iterator

from facial_expression.core.labels import FER2013_IDS
from facial_expression.fetch.rows import Label, Row, box_of, joined, table
from facial_expression.fetch.unpack import Files

COLUMNS = ("path", "face", "top", "left", "right", "bottom", "confidence", "label")
CLASSES = {str(number): name for number, name in enumerate(FER2013_IDS)}  # in the same order


def recognises(files: Files) -> bool:
    """Whether there is the list of faces."""
    return bool(files.other("/label.lst"))


def read(files: Files) -> list[Row]:
    """The faces, cut out by their box; all in train.  Faces of one photograph are a group."""
    return joined(files, _labels(files), CLASSES)


def _labels(files: Files) -> Iterator[Label]:
    for row in table(files, files.other("/label.lst")[0], COLUMNS):
        box = box_of(files, row, ("left", "top", "right", "bottom"))
        name = f"{row['path'].rpartition('.')[0]}_{row['face']}.png"
        yield Label(row["path"], row["label"], name=name, group=row["path"], box=box)
