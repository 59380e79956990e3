"""From images.zip to the rows of index.csv and audit.csv, as DataFrames: one row a picture."""

import math
import sys
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm

from facial_expression.core import processes
from facial_expression.core.errors import ImageError, ParameterError
from facial_expression.core.params import CLOSED, Seed, pinned
from facial_expression.core.tables import read_table
from facial_expression.index import audit, dropping, ferplus, near_duplicates, splits
from facial_expression.pictures.archive import members, read_members
from facial_expression.pictures.images import decode, fingerprint, square

DECODED = ("sha256", "width", "height", "mode", "mean", "std")
FACTS = ("path", "class", "split", *DECODED)
COLUMNS = (
    *(*FACTS[:3], "group", *FACTS[3:]),
    *("duplicate_of", "dropped_because", "votes", "leak_free"),
)
"""Of index.csv; group is there if a set says groups, votes with soft labels."""
SIDE = near_duplicates.SIDE
CHUNK = 4096  # pictures a task: large enough to open the archive rarely, small enough to balance
PIECE = 1 << 20  # pixels that are summed at once, or one picture's
SHOWN = 5  # undecodable pictures that an error message lists


@dataclass(frozen=True, config=CLOSED)
class Exclude:
    """Training pictures that a person excludes."""

    table: str  # a CSV table with a column path, of members of images.zip; empty: none
    sha256: str  # of that file, so that DVC notices a change of it


@dataclass(frozen=True, config=CLOSED)
class IndexParameters:
    """Section `index` of conf/data/*.yaml."""

    protocol: splits.Protocol  # notebook drops nothing
    near_duplicate: Annotated[float, Field(ge=0.5, lt=1)] | None  # similarity; null: no search
    drop: tuple[dropping.Drop, ...]  # kinds of training pictures that leave training
    exclude: Exclude
    val_fraction: Annotated[float, Field(gt=0, lt=1)]  # of each class, held out if there is no val
    test_fraction: Annotated[float, Field(gt=0, lt=1)]  # the same for test
    seed: Seed  # of the hold-out
    on_bad_image: Literal["error", "skip"]  # skip: leave out what cannot be decoded, and count it
    labels: ferplus.Labels


def build_index(
    images: Path,
    people: pd.DataFrame,
    params: IndexParameters,
    workers: int,
    scheduler: str = "",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of index.csv, sorted by path, and of audit.csv.

    `people` has columns path and group; index.csv has a column group if any picture has one.
    `workers` and `scheduler` say who decodes (`core.processes.spread`).

    Raises:
        ImageError: a picture cannot be decoded and `on_bad_image` is `error`.
        DatasetError: the pictures do not form a data set, an excluded one is not in train, or the
            votes do not belong to these pictures.
        ParameterError: a table that the parameters name is missing or not the pinned one, or
            `drop` names near-duplicates, which are not searched.
    """
    excluded = _excluded(params)
    least = params.near_duplicate
    if least is None and (kinds := [kind for kind in dropping.NEAR if kind in params.drop]):
        what = f"a search for near-duplicates, which {' and '.join(kinds)} needs"
        remedy = "set it to a similarity such as 0.8, or shorten drop"
        raise ParameterError.expected("index.drop", what, "index.near_duplicate null", remedy)
    table, thumbnails = scan(images, workers, least is not None, scheduler)
    bad = table.loc[table["dropped_because"] != "", ["path", "dropped_because"]]
    if len(bad) and params.on_bad_image == "error":
        listed = "; ".join(f"{path} ({reason})" for path, reason in bad[:SHOWN].to_numpy())
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise ImageError(
            f"{images}: {len(bad)} of {len(table)} pictures cannot be decoded: {listed}{more}; "
            "remove them, or set index.on_bad_image to skip"
        )
    for path, reason in bad.to_numpy():
        print(f"left out {path}: {reason}", file=sys.stderr)
    groups = table["path"].map(dict(people[["path", "group"]].to_numpy())).fillna("")
    if (groups != "").any():
        table["group"] = groups
    fractions = params.val_fraction, params.test_fraction
    table["split"] = splits.assign_splits(table, params.protocol, *fractions, params.seed)
    if params.labels.source == "ferplus":
        table = ferplus.relabelled(table, params.labels)
    table["duplicate_of"] = audit.duplicate_of(table)
    near = pd.DataFrame(columns=["path", "partner", "score"])
    if least is not None:
        seen = audit.comparable(table)["path"]
        thumbnails = _rows(thumbnails, seen.index.to_numpy())
        near = near_duplicates.search(seen.to_numpy(), thumbnails, least, workers)
    del thumbnails  # most of the memory of a large set
    found = audit.findings(table, near)
    if params.protocol == "clean":
        table["dropped_because"] = dropping.drop(table, found, params.drop, excluded)
    table["leak_free"] = audit.leak_free(table, found)
    splits.check_classes(table)
    return table[[name for name in COLUMNS if name in table]], found


def _excluded(params: IndexParameters) -> set[str]:
    """The paths in the table that a person made."""
    if not (name := params.exclude.table):
        return set()
    key = "index.exclude.table"
    if params.protocol == "notebook":
        what, remedy = "'', as protocol notebook drops nothing", "empty it, or choose clean"
        raise ParameterError.expected(key, what, name, remedy)
    reviewed = pinned(name, params.exclude.sha256, key, "correct the path")
    return set(read_table(reviewed, {"path": str}, empty=True)["path"])


def scan(
    images: Path, workers: int, searched: bool, scheduler: str = ""
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """`FACTS` about every member, in their order whatever the number of worker processes.

    sha256 is that of the decoded grey pixels; width and height are in pixels; mode is that of the
    file; mean and std are of the grey levels, 0 to 255; split is still the name of the top folder.
    A picture that cannot be decoded has no sha256, and `dropped_because` is "undecodable: REASON".

    Returns:
        The table, and a thumbnail of each picture, uint8 (N, SIDE, SIDE), if near-duplicates are
        searched; none otherwise, because a large set is not searched.
    """
    places = members(images)
    paths, unread = list(places), iter(places.items())
    starts = range(0, len(paths), CHUNK)
    chunks = (list(islice(unread, CHUNK)) for _ in starts)
    parts = list[pd.DataFrame]()
    thumbnails = np.empty((len(paths) if searched else 0, SIDE, SIDE), np.uint8)
    work = partial(_describe_chunk, images.absolute(), searched)
    done = processes.spread(work, chunks, min(workers, len(starts)), scheduler)
    bar = tqdm(done, "index", len(starts), unit=" parts", leave=False, disable=None)
    for start, (part, squares) in zip(starts, bar, strict=True):
        parts.append(part)
        thumbnails[start : start + len(squares)] = squares
    del places, unread, chunks, done, bar  # a large set leaves little room for a copy
    table = pd.concat(parts, ignore_index=True)
    for level, name in enumerate(("split", "class")):  # one text object for all rows
        table.insert(0, name, [sys.intern(path.split("/", 2)[level]) for path in paths])
    table.insert(0, "path", paths)
    return table, thumbnails


def _rows(array: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """`array[rows]` in the place of `array`, which has no room beside it; rows ascend."""
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        array[start : start + len(part)] = array[part]
    return array[: len(rows)]


def _describe_chunk(
    images: Path, searched: bool, places: Sequence[tuple[str, int]]
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """The columns `DECODED` and dropped_because of some members, and thumbnails if `searched`."""
    rows, sums = [], []
    thumbnails = np.zeros((len(places) if searched else 0, SIDE, SIDE), np.uint8)
    waiting, held = list[bytes](), 0
    for i, (_, data) in enumerate(read_members(images, places)):
        try:
            picture = decode(data)
        except ImageError as error:
            rows.append(("", 0, 0, "", f"undecodable: {error}"))
            waiting.append(b"\0")
        else:
            size, levels = picture.grey.size, picture.grey.tobytes()
            rows.append((fingerprint(size, levels), *size, picture.mode, ""))
            waiting.append(levels)
            if searched:
                thumbnails[i] = square(picture, SIDE)
        held += len(waiting[-1])
        if held > PIECE:
            sums += means_and_stds(waiting)
            waiting, held = [], 0
    sums += means_and_stds(waiting)
    table = pd.DataFrame(rows, columns=[*DECODED[:4], "dropped_because"])
    table[["mean", "std"]] = sums
    return table[[*DECODED, "dropped_because"]], thumbnails


def means_and_stds(pictures: Sequence[bytes]) -> list[tuple[float, float]]:
    """Of the grey levels of each picture, 0 to 255, from exact sums.

    >>> means_and_stds([bytes([0, 2, 4]), bytes([7])])
    [(2.0, 1.6329931618554518), (7.0, 0.0)]
    """
    if not pictures:
        return []
    levels = np.frombuffer(b"".join(pictures), np.uint8)
    sizes = [len(picture) for picture in pictures]
    starts = np.cumsum([0, *sizes[:-1]])
    totals = np.add.reduceat(levels, starts, dtype=np.int64)
    squares = np.add.reduceat(np.multiply(levels, levels, dtype=np.uint16), starts, dtype=np.int64)
    return [
        (total / size, math.sqrt(size * square - total**2) / size)
        for size, total, square in zip(sizes, totals.tolist(), squares.tolist(), strict=True)
    ]
