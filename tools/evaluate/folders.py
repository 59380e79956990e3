"""Pictures that lie in folders named after classes -> arrays, for a model that exists already."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import DatasetError, ImageError
from facial_expression.core.files import read_csv
from facial_expression.fetch.layout import is_wanted
from facial_expression.pictures.images import decode, square


@dataclass(frozen=True)
class Labelled:
    """Decoded pictures with the classes of their folders.

    Attributes:
        paths: N paths below the root, sorted.
        labels: int64 (N,), positions in the model's classes.
        images: uint8 (N, side, side), grey.
        fingerprints: N hashes of the decoded pixels, as column sha256 of index.csv.
    """

    paths: list[str]
    labels: NDArray[np.int64]
    images: NDArray[np.uint8]
    fingerprints: list[str]


def list_folders(root: Path, split: str = "") -> dict[str, list[Path]]:
    """The pictures of each folder of `root` (or `root`/`split`), both sorted; others are ignored.

    Raises:
        DatasetError: there is no picture, or one does not lie in <class>/<name>.
    """
    base = root / split
    layout = f"{base}: expected pictures in <class>/<name>"
    if not base.is_dir():
        raise DatasetError(f"{layout}, found no such folder; mend the path or --split")
    folders: dict[str, list[Path]] = {}
    for path in sorted(base.rglob("*")):
        # a Mac decomposes accents, classes.json holds them composed
        name = unicodedata.normalize("NFC", path.relative_to(base).as_posix())
        if not is_wanted(name) or not path.is_file():
            continue
        parts = name.split("/")
        if len(parts) != 2:
            remedy = f"add --split {parts[0]}" if len(parts) == 3 else "move it into such a folder"
            raise DatasetError(f"{layout}, found {name}; {remedy}")
        folders.setdefault(parts[0], []).append(path)
    if not folders:
        raise DatasetError(f"{layout}, found none; name a folder that holds such folders")
    return folders


def assign_labels(
    folders: Sequence[str], classes: Sequence[str], renamed: Mapping[str, str]
) -> dict[str, int | None]:
    """Each folder's label, a position in `classes`; None for a folder that is left out.

    Args:
        folders: names of the folders there are.
        classes: names in label order.
        renamed: folder -> the class that it holds, or "" to leave it out.

    Raises:
        DatasetError: a folder is no class and not renamed, `renamed` names something that does not
            exist, or every folder is left out.
    """
    known = ", ".join(classes)
    for folder, name in renamed.items():
        if folder not in folders:
            raise DatasetError(
                f"--map {folder}={name}: expected a folder of {', '.join(folders)}, found none of "
                "that name; mend or remove it"
            )
        if name and name not in classes:
            raise DatasetError(f"--map {folder}={name}: expected a class of {known}; mend it")
    strange = [name for name in folders if name not in renamed and name not in classes]
    if strange:
        raise DatasetError(
            f"expected folders named after the model's classes ({known}), found "
            f"{', '.join(strange)}; say which class one holds, as in --map joy=happy, "
            f"or leave it out: --map {strange[0]}="
        )
    wanted = {name: renamed.get(name, name) for name in folders}
    if not any(wanted.values()):
        raise DatasetError("expected a folder to score, found every one left out by --map")
    return {name: classes.index(label) if label else None for name, label in wanted.items()}


def read_pictures(
    root: Path, folders: Mapping[str, Sequence[Path]], labels: Mapping[str, int | None], side: int
) -> Labelled:
    """Decode the pictures of every folder that has a label, as `images` does for training.

    Raises:
        ImageError: a file is no picture; the message names it.
    """
    paths, numbers, images, fingerprints = [], [], [], []
    for name, members in folders.items():
        label = labels[name]
        if label is None:
            continue
        for path in members:
            try:
                picture = decode(path.read_bytes())
            except ImageError as error:
                raise ImageError(
                    f"{path}: expected a picture: {error}; remove or replace it"
                ) from None
            paths.append(path.relative_to(root).as_posix())
            numbers.append(label)
            images.append(square(picture, side))
            fingerprints.append(picture.fingerprint)
    return Labelled(paths, np.array(numbers, np.int64), np.stack(images), fingerprints)


def training_fingerprints(index: Path) -> set[str]:
    """Hashes of the pixels of every picture that index.csv trains on.

    Raises:
        DatasetError: the table is missing or not one of the index stage.
    """
    try:
        return {
            row["sha256"]
            for row in read_csv(index)
            if row["split"] == "train" and not row["dropped_because"]
        }
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"{index}: expected the index.csv that the index stage writes: {error!r}; "
            "run that stage on the data that the model was trained on"
        ) from None
