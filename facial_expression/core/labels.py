"""Names of classes and of splits' folders.

Labels are positions in the sorted list of class names, as the seed's LabelEncoder has them; the
list is kept in classes.json.
"""

from pathlib import Path

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import read_json

FER2013_IDS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""What the `emotion` ids 0..6 of the official fer2013.csv mean; they are not alphabetical."""
FER2013_SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
"""How FER2013's file names begin (`PublicTest_123.jpg`) -> the split."""
SPLIT_FOLDERS = {
    "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"
}  # fmt: skip
"""Names that the folder of a split may have -> the split."""


def read_classes(path: Path) -> list[str]:
    """Class names from classes.json; a DatasetError if it is no list of distinct names."""
    names = read_json(path, "the preprocess stage")
    texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not (texts and 0 < len(set(names)) == len(names)):
        what, remedy = "a list of distinct class names", "run the preprocess stage again"
        raise DatasetError.expected(path, what, f"{names!r:.200}", remedy)
    return names
