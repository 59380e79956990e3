"""From index.csv and images.zip to shards of uint8 arrays, a worker process a shard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm

from facial_expression.core.arrays import write_array, write_rows
from facial_expression.core.errors import DatasetError
from facial_expression.core.files import atomic_folder, read_csv, write_json
from facial_expression.core.labels import class_order
from facial_expression.core.params import CLOSED
from facial_expression.pictures.squares import decode_all, located


@dataclass(frozen=True, config=CLOSED)
class PreprocessParameters:
    """Section `preprocess` of params.yaml.

    Attributes:
        side: pixels of the grey squares.
        shard_size: pictures a file.
    """

    side: Annotated[int, Field(ge=8, le=512)]
    shard_size: Annotated[int, Field(ge=1)]


class Used(NamedTuple):
    """What index.csv says of a picture that is used; `votes` is empty without soft targets."""

    row: int
    path: str
    label: str
    votes: str
    leak_free: int


class Shard(NamedTuple):
    """Some rows of one split: what one worker turns into two files, or three."""

    split: str
    number: int
    places: list[tuple[str, int]]
    labels: list[int]
    targets: NDArray[np.float32] | None


def read_index(path: Path) -> tuple[list[str], dict[str, list[Used]]]:
    """Class names, and for each split the rows that are used.

    Raises:
        DatasetError: no row is used.
    """
    splits: dict[str, list[Used]] = defaultdict(list)
    labels: dict[str, str] = {}  # one text object a class, whatever the number of rows
    for number, row in enumerate(read_csv(path)):
        if not row["dropped_because"]:
            label = labels.setdefault(row["class"], row["class"])
            votes, leak_free = row.get("votes", ""), int(row["leak_free"])
            splits[row["split"]].append(Used(number, row["path"], label, votes, leak_free))
    if not splits["train"]:
        raise DatasetError(f"{path}: expected rows to train on, found none; run index again")
    return class_order(labels), splits


def shares(votes: Sequence[str], classes: Sequence[str]) -> NDArray[np.float32] | None:
    """Soft targets (N, classes) of votes such as `happy:6 sad:3`; None where there are none."""
    if not any(votes):
        return None
    cast = [dict(pair.split(":") for pair in text.split()) for text in votes]
    counts = np.array([[float(of.get(name, 0)) for name in classes] for of in cast])
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def write_shard(images: Path, out: Path, side: int, shard: Shard) -> int:
    """Decode one shard and write its files; returns how many pictures it holds."""
    stem = out / shard.split
    pictures = decode_all(images, shard.places, side)
    write_array(stem / f"images-{shard.number:03d}.npy", pictures)
    write_array(stem / f"labels-{shard.number:03d}.npy", np.array(shard.labels, np.int64))
    if shard.targets is not None:
        write_array(stem / f"targets-{shard.number:03d}.npy", shard.targets)
    return len(shard.places)


def write_arrays(
    images: Path, index: Path, out: Path, params: PreprocessParameters, workers: int
) -> None:
    """Write every split's shards with `workers` processes, whole or not at all."""
    classes, splits = read_index(index)
    named = (used.path for rows in splits.values() for used in rows)
    places = dict(located(images, named))
    shards = [
        Shard(
            split,
            number,
            [(used.path, places[used.path]) for used in part],
            [classes.index(used.label) for used in part],
            shares([used.votes for used in part], classes),
        )
        for split, rows in splits.items()
        for number, start in enumerate(range(0, len(rows), params.shard_size))
        for part in (rows[start : start + params.shard_size],)
    ]
    with atomic_folder(out) as folder:
        for split, rows in splits.items():
            write_rows(folder, split, [(used.row, used.path, used.leak_free) for used in rows])
        write_json(folder / "classes.json", classes)
        total = sum(len(shard.places) for shard in shards)
        with (
            tqdm(
                total=total, desc="preprocess", unit=" pictures", leave=False, disable=None
            ) as bar,
            ProcessPoolExecutor(min(workers, len(shards))) as pool,
        ):
            for count in pool.map(partial(write_shard, images, folder, params.side), shards):
                bar.update(count)
    print(f"wrote {total} pictures of {len(classes)} classes to {out}")
