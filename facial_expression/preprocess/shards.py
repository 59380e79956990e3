"""From index.csv and images.zip to shards of uint8 arrays, one shard a task."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm

from facial_expression.core import processes
from facial_expression.core.arrays import ROWS, SPLITS, npy, write_array
from facial_expression.core.errors import DatasetError, PipelineError, damaged
from facial_expression.core.files import atomic, in_store, write_bytes, write_json
from facial_expression.core.params import CLOSED
from facial_expression.core.tables import read_table, write_table
from facial_expression.pictures.squares import decode_all, located

COLUMNS = {"path": str, "class": str, "split": str, "dropped_because": str, "leak_free": int}
"""What this stage reads of index.csv, beside `votes`, which is there with soft labels only."""
CLASSES = "classes.json"


@dataclass(frozen=True, config=CLOSED)
class PreprocessParameters:
    """Section `preprocess` of params.yaml."""

    side: Annotated[int, Field(ge=8, le=512)]  # pixels of the grey squares
    shard_size: Annotated[int, Field(ge=1)]  # pictures a file


def read_index(path: Path) -> pd.DataFrame:
    """The rows of index.csv that are used, with the number of each row as `row`.

    Raises:
        DatasetError: the table is missing or damaged, or no row is trained on.
    """
    wanted = {*COLUMNS, "votes"}  # a large set leaves no room for the others
    table = read_table(path, COLUMNS, "the index stage", usecols=lambda name: name in wanted)
    table = table.rename_axis("row").reset_index()
    used = table[table["dropped_because"] == ""]
    found = set(used["split"])
    if "train" not in found or not found <= set(SPLITS):
        splits = f"those of {', '.join(map(repr, sorted(found))) or 'none':.200}"
        remedy = "run the index stage again"
        raise DatasetError.expected(path, "rows of train, val and test", splits, remedy)
    return used


def shares(votes: Iterable[str], classes: Sequence[str]) -> NDArray[np.float32]:
    """Soft targets (N, classes), rows sum to 1, of votes such as `happy:6 sad:3`."""
    with damaged("column votes of index.csv", "the index stage"):
        cast = [dict(pair.split(":") for pair in text.split()) for text in votes]
        counts = np.array([[int(of.get(name, 0)) for name in classes] for of in cast])
        if not (counts >= 0).all() or not counts.any(axis=1).all():
            raise ValueError("a picture without votes")
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def write_pictures(
    images: Path, side: int, shard: tuple[Path | None, Sequence[tuple[str, int]]]
) -> bytes | None:
    """Decode some members of the archive into one file; without one, return what it is to hold."""
    file, places = shard
    array = decode_all(images, places, side)
    if file is None:
        return npy(array)
    write_array(file, array)
    return None


def _check_own(out: Path) -> None:
    if in_store(out) or (out.name and not out.exists()):
        return
    others = sorted({path.name for path in out.iterdir()} - {*SPLITS, CLASSES})
    if others or not out.name:
        found = f"{others[0]!r} in it" if others else "the current one"
        what, remedy = "a folder for the arrays alone", "name another one in --out"
        raise PipelineError.expected(out, what, found, remedy)


def write_arrays(
    images: Path,
    index: Path,
    out: Path,
    params: PreprocessParameters,
    workers: int,
    scheduler: str = "",
) -> None:
    """Write every split's shards, whole or not at all; in a store, classes.json comes last.

    `workers` and `scheduler` say who decodes (`core.processes.spread`).  A PipelineError if `out`
    holds anything else, which would be lost.
    """
    _check_own(out)
    used = read_index(index)
    classes = sorted(set(used["class"]))
    used["label"] = pd.Categorical(used["class"], classes).codes.astype(np.int64)
    used["member"] = located(images, used["path"])
    shards = []
    with atomic(out) as folder:
        for split, rows in used.groupby("split"):
            write_table(folder / split / "rows.csv", rows[list(ROWS)])
            for number, start in enumerate(range(0, len(rows), params.shard_size)):
                part, end = rows[start : start + params.shard_size], f"{number:03d}.npy"
                write_array(folder / split / f"labels-{end}", part["label"].to_numpy())
                if "votes" in part:
                    write_array(folder / split / f"targets-{end}", shares(part["votes"], classes))
                shards.append((folder / split / f"images-{end}", part["member"].tolist()))
        here = scheduler and not in_store(out)  # the workers may be on other machines
        tasks = [(None if here else file, places) for file, places in shards]
        write = partial(write_pictures, images.absolute(), params.side)
        done = processes.spread(write, tasks, min(workers, len(tasks)), scheduler)
        bar = tqdm(done, "preprocess", len(shards), unit=" shards", leave=False, disable=None)
        for (file, _), data in zip(shards, bar, strict=True):
            if data is not None:
                write_bytes(file, data)
        write_json(folder / CLASSES, classes)
    print(f"wrote {len(used)} pictures of {len(classes)} classes to {out}")
