"""From the members of images.zip to the rows of index.csv: facts and split of each picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from facial_expression.core.errors import DatasetError, ImageError
from facial_expression.core.labels import class_order
from facial_expression.index.near_duplicates import SIDE, perceptual_hashes
from facial_expression.pictures.archive import read_members
from facial_expression.pictures.images import decode, square

Protocol = Literal["clean", "notebook"]
CHUNK = 4096  # pictures a task: large enough to open the archive rarely, small enough to balance
COLUMNS = {"path", "actual", "predicted"}  # of predictions/*.csv, beside one a class
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True, slots=True)
class Row:
    """One picture, as index.csv lists it; `mean` and `std` in grey levels 0..255.

    The perceptual hash is what near-duplicates are found by; index.csv leaves it out.  `votes`
    (`happy:6 sad:3`) is there with soft targets only, and so is its column.
    """

    path: str
    label: str
    split: str
    sha256: str
    width: int
    height: int
    mode: str
    mean: float
    std: float
    duplicate_of: str = ""
    dropped_because: str = ""
    votes: str = ""
    perceptual_hash: int = 0


def describe(name: str, data: bytes) -> Row:
    """Facts about one picture; its split is still the name of its top folder.

    A picture that cannot be decoded gets no hash and `dropped_because` says "undecodable: why".
    """
    folder, label, _ = map(sys.intern, name.split("/"))  # one text object for all rows
    try:
        picture = decode(data)
    except ImageError as error:
        return Row(name, label, folder, "", 0, 0, "", 0.0, 0.0, "", f"undecodable: {error}")
    pixels = np.asarray(picture.grey)
    width, height = picture.grey.size
    mean, std = float(pixels.mean()), float(pixels.std())
    return Row(
        *(name, label, folder, picture.fingerprint, width, height, picture.mode, mean, std),
        perceptual_hash=int(perceptual_hashes(square(picture, SIDE)[None])[0]),
    )


def scan(archive: Path, places: Mapping[str, int], workers: int) -> Iterator[Row]:
    """Describe every member, in their order whatever the number of worker processes."""
    items = list(places.items())
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    work = partial(_describe_chunk, archive)
    if workers == 1 or len(chunks) == 1:
        for chunk in chunks:
            yield from work(chunk)
        return
    with ProcessPoolExecutor(workers) as pool:
        for rows in pool.map(work, chunks):
            yield from rows


def assign_splits(
    rows: Sequence[Row],
    protocol: Protocol,
    val_fraction: float,
    test_fraction: float,
    seed: int,
) -> list[Row]:
    """Replace each row's folder by its split: train, val or test.

    - FER2013's names: train/ -> train, test/PublicTest_* -> val, test/PrivateTest_* -> test.
    - Protocol `notebook`: train/ -> train and everything else -> val, as the seed notebook did.
    - Otherwise the folders train, val (or valid, validation) and test are the splits, and one that
      is absent is held out from train, test before val: seeded, a fraction of the distinct pictures
      of each class that train then holds, pictures with equal pixels together.

    Raises:
        DatasetError: a folder is no split.
    """
    unknown = class_order(row.split for row in rows if row.split not in SPLIT_NAMES)
    if unknown:
        raise DatasetError(
            f"images.zip: expected top folders train, val, test, found {', '.join(unknown)}; "
            "rename them"
        )
    named = [_moved(row, SPLIT_NAMES[row.split]) for row in rows]
    if protocol == "notebook":
        named = [_moved(row, row.split.replace("test", "val")) for row in named]
    elif _has_fer2013_names(named):
        named = [_moved(row, _fer2013_split(row)) for row in named]
    else:
        rng = np.random.default_rng(seed)
        for split, fraction in (("test", test_fraction), ("val", val_fraction)):
            if not any(row.split == split for row in named):
                named = _hold_out(named, split, fraction, rng)
    return named


def check_classes(rows: Sequence[Row]) -> None:
    """Whether the rows that are used can be trained on and scored.

    Raises:
        DatasetError: train holds fewer than two classes or lacks one of val or test, a class is
            called like a column of predictions/*.csv, or val is empty.
    """
    classes = {
        split: {row.label for row in rows if row.split == split and not row.dropped_because}
        for split in ("train", "val", "test")
    }
    if len(classes["train"]) < 2:
        found = ", ".join(sorted(classes["train"])) or "none"
        raise DatasetError(
            f"images.zip: expected at least two classes to train on, found {found}; "
            "add a folder of pictures a class under train/"
        )
    reserved = sorted(classes["train"] & COLUMNS)
    if reserved:
        raise DatasetError(
            f"images.zip: expected classes that are no column of the tables, found "
            f"{', '.join(reserved)}; rename that folder"
        )
    for split in ("val", "test"):
        strange = sorted(classes[split] - classes["train"])
        if strange:
            raise DatasetError(
                f"images.zip: expected train to hold every class of {split}, found no picture of "
                f"{', '.join(strange)} left to train on; add training pictures or remove the class"
            )
    if not classes["val"]:
        raise DatasetError(
            "images.zip: expected pictures for val, found none; add a folder val/ or test/"
        )


def _describe_chunk(archive: Path, places: Sequence[tuple[str, int]]) -> list[Row]:
    return [describe(name, data) for name, data in read_members(archive, places)]


def _moved(row: Row, split: str) -> Row:
    return row if row.split == split else replace(row, split=split)  # copies cost memory


def _has_fer2013_names(rows: Sequence[Row]) -> bool:
    names = [PurePosixPath(row.path).name for row in rows if row.split == "test"]
    usages = {name.partition("_")[0] for name in names}
    return usages == {"PublicTest", "PrivateTest"} and not any(row.split == "val" for row in rows)


def _fer2013_split(row: Row) -> str:
    public = row.split == "test" and PurePosixPath(row.path).name.startswith("PublicTest_")
    return "val" if public else row.split


def _hold_out(rows: list[Row], split: str, fraction: float, rng: np.random.Generator) -> list[Row]:
    """Move `fraction` of the distinct pictures of each class from train to `split`, never all.

    What also stands in a split that the set brought stays in train, where the audit finds it.
    """
    taken = {row.sha256 for row in rows if row.split != "train"} | {""}  # "" is undecodable
    label_of = {
        row.sha256: row.label
        for row in reversed(rows)
        if row.split == "train" and row.sha256 not in taken
    }
    held: set[str] = set()
    for label in class_order(label_of.values()):
        hashes = sorted(sha256 for sha256, of in label_of.items() if of == label)
        count = min(max(1, round(fraction * len(hashes))), len(hashes) - 1)  # one stays in train
        held.update(hashes[i] for i in rng.permutation(len(hashes))[:count])
    return [
        replace(row, split=split) if row.split == "train" and row.sha256 in held else row
        for row in rows
    ]
