"""Arrays on the disk, and choices of their rows.

Pictures: <split>/images-*.npy, labels-*.npy, rows.csv, and targets-*.npy if labels are soft.
Saliency maps: saliency.npz.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import DatasetError, damaged
from facial_expression.core.files import atomic, write_bytes, write_zip
from facial_expression.core.tables import read_table

SPLITS = ("train", "val", "test")
ROWS = {"row": int, "path": str, "leak_free": int}
"""Columns of rows.csv: row of index.csv, member path of images.zip, 1 if leak-free else 0."""


class Rows(Protocol):
    """N pictures, uint8 (N, side, side), in memory or on the disk; `np.asarray` reads them all."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Shards:
    """The rows of some `.npy` files after one another, each read when it is asked for.

    The files are read, not mapped: mapped pages count as memory of the process, and a file that
    is cut short would end it without a word (docs/decisions.md).
    """

    files: list[Path]
    starts: NDArray[np.int64]  # (files,), the first row of each
    offsets: NDArray[np.int64]  # (files,), bytes before the first row of each
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The rows at positions int (B,), in that order; of each file once, in its order."""
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = self.dtype.itemsize * math.prod(self.shape[1:])  # bytes of a row
        order = np.argsort(rows, kind="stable")
        numbers = np.searchsorted(self.starts, rows[order], side="right") - 1
        places = self.offsets[numbers] + (rows[order] - self.starts[numbers]) * size
        wanted = zip(numbers.tolist(), order.tolist(), places.tolist(), strict=True)
        for number, of_file in groupby(wanted, itemgetter(0)):
            with self.files[number].open("rb", buffering=0) as stream:
                for _, target, place in of_file:
                    stream.seek(place)
                    if stream.readinto(found[target]) != size:
                        what, remedy = "the rows of its header", "run the preprocess stage again"
                        raise DatasetError.expected(self.files[number], what, "fewer", remedy)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.concatenate([np.load(path, mmap_mode="r") for path in self.files])
        return whole.astype(dtype or self.dtype, copy=False)


@dataclass(frozen=True)
class Split:
    """The N pictures of one split, in the order of index.csv."""

    images: Rows  # (N, side, side), grey, 0 black to 255 white
    labels: NDArray[np.int64]  # (N,), positions in classes.json
    paths: list[str]  # member paths of images.zip
    leak_free: NDArray[np.bool_]  # (N,), no duplicate or near-duplicate was found in any split
    targets: NDArray[np.float32] | None = None  # (N, classes), rows sum to 1: soft labels, if any

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: NDArray[np.bool_]) -> Split:
        """The pictures where `mask`, bool (N,), is true, in their order."""
        rows = np.flatnonzero(mask)
        targets = None if self.targets is None else self.targets[rows]
        paths = [self.paths[row] for row in rows]
        return Split(self.images[rows], self.labels[rows], paths, self.leak_free[rows], targets)


def choose(rows: NDArray[np.int64], number: int, seed: int | Sequence[int]) -> NDArray[np.int64]:
    """Up to `number` of these rows, at random and in ascending order."""
    return np.sort(np.random.default_rng(seed).choice(rows, min(number, len(rows)), replace=False))


@dataclass(frozen=True)
class Saliency:
    """N pictures of one split with a map each, by actual class, right predictions before wrong."""

    rows: NDArray[np.int64]  # (N,), positions in the split's arrays
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
    """Read a split; its pictures stay on the disk until they are asked for.

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
        shards = {name: _shards(where, name) for name in kinds}
        read = {name: (str(each.dtype), len(each.shape)) for name, each in shards.items()}
        if read != kinds or any(len(each) != len(rows) for each in shards.values()):
            shapes = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in shards.items())
            raise ValueError(f"{len(rows)} rows, {shapes}")
        labels = np.asarray(shards["labels"])
        targets = np.asarray(shards["targets"]) if "targets" in shards else None
        if labels.min() < 0 or (classes and labels.max() >= len(classes)):
            raise ValueError(f"labels {labels.min()} to {labels.max()} of {classes}")
    paths, leak_free = rows["path"].tolist(), rows["leak_free"].to_numpy() == 1
    return Split(shards["images"], labels, paths, leak_free, targets)


def write_saliency(path: Path, saliency: Saliency) -> None:
    """Write saliency.npz atomically; equal content gives equal bytes."""
    arrays = ((f"{name}.npy", npy(array)) for name, array in vars(saliency).items())
    with atomic(path) as temporary:
        write_zip(temporary, arrays, permissions=0o600)


def read_saliency(path: Path) -> Saliency:
    """Read saliency.npz; a DatasetError if it is missing, damaged, or holds other arrays."""
    with damaged(path, "the evaluate stage"), np.load(path) as arrays:
        read = Saliency(arrays["rows"], arrays["maps"])
        if len(read.rows) != len(read.maps) or read.rows.ndim != 1 or read.maps.ndim != 3:
            raise ValueError(f"rows {read.rows.shape} and maps {read.maps.shape}")
        return read


def _shards(folder: Path, name: str) -> Shards:
    paths = sorted(folder.glob(f"{name}-*.npy"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise FileNotFoundError(f"no {name}-000.npy")
    heads = [_head(path) for path in paths]
    (dtype, (_, *shape), _), *_ = heads
    if any((each, list(others)) != (dtype, shape) for each, (_, *others), _ in heads):
        raise ValueError(f"{name}: files with rows of other types or shapes")
    lengths = [rows for _, (rows, *_), _ in heads]
    starts = np.cumsum([0, *lengths[:-1]])
    offsets = np.array([offset for *_, offset in heads])
    return Shards(paths, starts, offsets, (sum(lengths), *shape), dtype)


def _head(path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type and shape of a `.npy` file, and the bytes before its first row."""
    array = np.load(path, mmap_mode="r")  # checks the size of the file too; reads no row
    if not array.flags.c_contiguous:
        raise ValueError(f"{path.name}: rows are not one after another")
    return array.dtype, array.shape, array.offset
