"""Arrays on the disk, and choices of their rows.

Pictures: <split>/images-*.npy, labels-*.npy, rows.csv, and targets-*.npy if labels are soft.
Saliency maps: saliency.npz.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import DatasetError, damaged
from facial_expression.core.files import atomic, write_bytes, write_zip
from facial_expression.core.tables import read_table

SPLITS = ("train", "val", "test")
ROWS = {"row": int, "path": str, "leak_free": int}
"""Columns of rows.csv: row of index.csv, member path of images.zip, 1 if leak-free else 0."""


@dataclass(frozen=True)
class Split:
    """The N pictures of one split, in the order of index.csv."""

    images: NDArray[np.uint8]  # (N, side, side), grey, 0 black to 255 white
    labels: NDArray[np.int64]  # (N,), positions in classes.json
    paths: list[str]  # member paths of images.zip
    leak_free: NDArray[np.bool_]  # (N,), no duplicate or near-duplicate was found in any split
    targets: NDArray[np.float32] | None = None  # (N, classes), rows sum to 1: soft labels, if any

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: NDArray[np.bool_]) -> Split:
        """The pictures where `mask`, bool (N,), is true, in their order."""
        targets = None if self.targets is None else self.targets[mask]
        paths = [self.paths[row] for row in np.flatnonzero(mask)]
        return Split(self.images[mask], self.labels[mask], paths, self.leak_free[mask], targets)


def choose(rows: NDArray[np.int64], number: int, seed: int | Sequence[int]) -> NDArray[np.int64]:
    """Up to `number` of these rows, at random and in ascending order."""
    return np.sort(np.random.default_rng(seed).choice(rows, min(number, len(rows)), replace=False))


RIGHT, WRONG = 0, 1


@dataclass(frozen=True)
class Saliency:
    """N pictures of one split with a map each, by actual class, right predictions before wrong."""

    rows: NDArray[np.int64]  # (N,), positions in the split's arrays
    kinds: NDArray[np.int64]  # (N,), RIGHT or WRONG
    maps: NDArray[np.uint8]  # (N, side, side); 255 where the predicted class has most evidence


def npy(array: NDArray[Any]) -> bytes:
    """The bytes of an array's `.npy` file."""
    buffer = io.BytesIO()  # NumPy's own writing to a file does not say that a disk is full
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write one `.npy` file atomically."""
    write_bytes(path, npy(array))


def read_split(folder: Path, split: str, classes: Sequence[str] | None = None) -> Split:
    """Read all shards of a split.

    Raises:
        DatasetError: the split is absent, empty, or its arrays do not fit together, or a label is
            not one of `classes`.
    """
    where = folder / split
    if not where.is_dir():
        found = ", ".join(name for name in SPLITS if (folder / name).is_dir()) or "none"
        remedy = "correct `evaluate.splits`, or run the preprocess stage"
        raise DatasetError.expected(folder, f"arrays of split '{split}'", found, remedy)
    rows = read_table(where / "rows.csv", ROWS, "the preprocess stage")
    kinds = {"images": ("uint8", 3), "labels": ("int64", 1)}  # type and number of axes
    if any(where.glob("targets-*.npy")):
        kinds["targets"] = ("float32", 2)
    with damaged(where, "the preprocess stage"):
        arrays = {name: _concatenated(where, name) for name in kinds}
        labels = arrays["labels"]
        read = {name: (str(array.dtype), array.ndim) for name, array in arrays.items()}
        if read != kinds or any(len(array) != len(rows) for array in arrays.values()):
            shapes = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items())
            raise ValueError(f"{len(rows)} rows, {shapes}")
        if labels.min() < 0 or (classes and labels.max() >= len(classes)):
            raise ValueError(f"labels {labels.min()} to {labels.max()} of {classes}")
    paths, leak_free = rows["path"].tolist(), rows["leak_free"].to_numpy() == 1
    return Split(arrays["images"], labels, paths, leak_free, arrays.get("targets"))


def write_saliency(path: Path, saliency: Saliency) -> None:
    """Write saliency.npz atomically; equal content gives equal bytes."""
    arrays = ((f"{name}.npy", npy(array)) for name, array in vars(saliency).items())
    with atomic(path) as temporary:
        write_zip(temporary, arrays, permissions=0o600)


def read_saliency(path: Path) -> Saliency:
    """Read saliency.npz; a DatasetError if it is missing, damaged, or holds other arrays."""
    with damaged(path, "the evaluate stage"), np.load(path) as arrays:
        read = Saliency(arrays["rows"], arrays["kinds"], arrays["maps"])
        if len(read.rows) != len(read.maps) or read.rows.ndim != 1 or read.maps.ndim != 3:
            raise ValueError(f"rows {read.rows.shape} and maps {read.maps.shape}")
        return read


def _concatenated(folder: Path, name: str) -> NDArray[Any]:
    paths = sorted(folder.glob(f"{name}-*.npy"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise FileNotFoundError(f"no {name}-000.npy")
    return np.concatenate([np.load(path, mmap_mode="r") for path in paths])
