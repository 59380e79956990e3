"""Class names and their order.  The encoding is the sorted list of names, kept in classes.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from facial_expression.core.errors import DatasetError

FER2013_IDS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""What the `emotion` ids 0..6 of the official fer2013.csv mean; they are not alphabetical."""
SPLIT_FOLDERS = {
    "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"
}  # fmt: skip
"""Names that the folder of a split may have -> the split."""


def class_order(names: Iterable[str]) -> list[str]:
    """The distinct names, sorted; a position is the integer label (as the seed's LabelEncoder).

    >>> class_order(["sad", "happy", "sad"])
    ['happy', 'sad']
    """
    return sorted(set(names))


def read_classes(path: Path) -> list[str]:
    """Class names from classes.json, in label order.

    Raises:
        DatasetError: the file is missing or is not a list of distinct, sorted names.
    """
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected a JSON list of class names: {error}") from None
    texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not texts or names != class_order(names):
        raise DatasetError(
            f"{path}: expected a sorted list of distinct class names, found {names!r}"
        )
    return names
