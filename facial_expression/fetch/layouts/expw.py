"""ExpW (Zhang et al. 2018): photographs, and `label/label.lst` with a line for each face in them.

A line is: picture, number of the face, top, left, right, bottom, confidence of the detector, label.
"""

from facial_expression.core.labels import FER2013_IDS
from facial_expression.fetch.rows import Row, joined, table
from facial_expression.fetch.unpack import Files

LIST = "/label.lst"
COLUMNS = {
    **{"path": str, "face": str, "top": float, "left": float, "right": float, "bottom": float},
    **{"confidence": str, "label": str},
}
CLASSES = {str(number): name for number, name in enumerate(FER2013_IDS)}  # in the same order


def recognises(files: Files) -> bool:
    """Whether there is the list of faces."""
    return bool(files.other(LIST))


def read(files: Files) -> list[Row]:
    """The faces, cut out by their box; all in train.  Faces of one photograph are a group."""
    faces = table(files, LIST, COLUMNS, sep=r"\s+", header=None, names=list(COLUMNS))
    name = faces["path"].str.rpartition(".")[0] + "_" + faces["face"] + ".png"
    faces = faces.assign(name=name, group=faces["path"])
    return joined(files, faces.to_dict("records"), CLASSES)
