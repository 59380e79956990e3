"""Shards of decoded pictures: <split>/images-*.npy, labels-*.npy, rows.csv, and classes.json.

With soft labels <split>/targets-*.npy as well.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import atomic
from facial_expression.core.tables import read_table, write_table

SPLITS = ("train", "val", "test")
ROWS = {"row": int, "path": str, "leak_free": int}
"""Columns of rows.csv: row of index.csv, member path of images.zip, 1 if leak-free else 0."""


@dataclass(frozen=True)
class Split:
    """The pictures of one split, in the order of index.csv.

    Attributes:
        images: uint8 (N, side, side), grey, 0 black to 255 white.
        labels: int64 (N,), positions in classes.json.
        paths: N member paths of images.zip.
        leak_free: bool (N,), whether no duplicate or near-duplicate was found in any split.
        targets: float32 (N, classes), rows sum to 1: soft labels to train on, if any.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    paths: list[str]
    leak_free: NDArray[np.bool_]
    targets: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: NDArray[np.bool_]) -> Split:
        """The pictures where `mask`, bool (N,), is true, in their order."""
        targets = None if self.targets is None else self.targets[mask]
        paths = [self.paths[row] for row in np.flatnonzero(mask)]
        return Split(self.images[mask], self.labels[mask], paths, self.leak_free[mask], targets)


def splits_in(folder: Path) -> list[str]:
    """The splits that `folder` holds, in the order train, val, test."""
    return [split for split in SPLITS if (folder / split).is_dir()]


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write one `.npy` file atomically."""
    buffer = io.BytesIO()  # NumPy's own writing to a file does not say that a disk is full
    np.save(buffer, array, allow_pickle=False)
    with atomic(path) as temporary, temporary.open("wb") as stream:
        stream.write(buffer.getbuffer())


def write_rows(
    folder: Path, split: str, rows: pd.DataFrame | Sequence[tuple[int, str, bool]]
) -> None:
    """Write the columns `ROWS` of each array element to rows.csv."""
    table = pd.DataFrame(rows, columns=list(ROWS)).astype({"leak_free": int})
    write_table(folder / split / "rows.csv", table)


def read_split(folder: Path, split: str) -> Split:
    """Read all shards of a split.

    Raises:
        DatasetError: the split is absent, empty, or its shards do not fit together.
    """
    where = folder / split
    if not where.is_dir():
        found = ", ".join(splits_in(folder)) or "none"
        raise DatasetError(
            f"{folder}: expected arrays of split '{split}', found {found}; "
            "correct `evaluate.splits`, or run the preprocess stage"
        )
    images = _concatenated(where, "images")
    labels = _concatenated(where, "labels")
    rows = read_table(where / "rows.csv", ROWS, "the preprocess stage")
    if images.ndim != 3 or images.dtype != np.uint8 or not len(images) == len(labels) == len(rows):
        raise DatasetError(
            f"{where}: expected uint8 (N, side, side) pictures with N labels and N rows, found "
            f"{images.dtype} {images.shape}, {len(labels)} labels and {len(rows)} rows; "
            "run the preprocess stage again"
        )
    targets = _concatenated(where, "targets") if any(where.glob("targets-*.npy")) else None
    if targets is not None and (targets.dtype != np.float32 or len(targets) != len(labels)):
        raise DatasetError(
            f"{where}: expected float32 targets for {len(labels)} labels, found {targets.dtype} "
            f"{targets.shape}; run the preprocess stage again"
        )
    leak_free = rows["leak_free"].to_numpy() == 1
    return Split(images, labels, rows["path"].tolist(), leak_free, targets)


def _concatenated(folder: Path, name: str) -> NDArray[Any]:
    paths = sorted(folder.glob(f"{name}-*.npy"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise DatasetError(f"{folder}: expected {name}-000.npy, found none; run preprocess again")
    try:
        return np.concatenate([np.load(path, mmap_mode="r") for path in paths])
    except (ValueError, EOFError) as error:  # a truncated file, shards of different sides
        raise DatasetError(
            f"{folder}: expected {name}-*.npy of one shape: {error}; run preprocess again"
        ) from None
