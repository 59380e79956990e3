"""Pictures in folders named after classes -> arrays, for a trained model."""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from facial_expression.core.arrays import Split
from facial_expression.core.errors import DatasetError, ImageError
from facial_expression.core.labels import FER2013_SPLITS
from facial_expression.core.tables import read_table
from facial_expression.fetch.unpack import is_junk
from facial_expression.pictures.images import decode, is_picture_file, square


def list_folders(root: Path, split: str = "") -> dict[str, list[Path]]:
    """The pictures of each folder of `root` (or `root`/`split`), both sorted; ignores other files.

    FER2013's folder test holds two splits, told by the files' names: val and test.

    Raises:
        DatasetError: there is no picture, one is not in <class>/<name>, a folder is a link, or
            FER2013's two are mixed and `split` names neither.
    """
    named, test = root / split, root / "test"
    base = test if split == "val" and test.is_dir() and not named.is_dir() else named
    layout = f"{named}: expected pictures in <class>/<name>"
    absent = DatasetError(f"{layout}, found no such folder; mend the path or --split")
    if not base.is_dir():
        raise absent
    folders: dict[str, list[Path]] = {}
    for path in sorted(base.rglob("*")):
        # a Mac decomposes accents, classes.json holds them composed
        name = unicodedata.normalize("NFC", path.relative_to(base).as_posix())
        if path.is_symlink() and path.is_dir() and not is_junk(name):
            raise DatasetError(f"{layout}, found the link {name}; put its folder in its place")
        if is_junk(name) or not path.is_file() or not is_picture_file(path):
            continue
        parts = name.split("/")
        if len(parts) != 2:
            remedy = f"add --split {parts[0]}" if len(parts) == 3 else "move it into such a folder"
            raise DatasetError(f"{layout}, found {name}; {remedy}")
        folders.setdefault(parts[0], []).append(path)
    if not folders:
        raise DatasetError(f"{layout}, found none; name a folder that holds such folders")
    splits = {path: _fer2013_split(path) for members in folders.values() for path in members}
    if {"val", "test"} <= set(splits.values()):
        if split not in ("val", "test"):
            raise DatasetError(
                f"{named}: expected pictures of one split, found FER2013's PublicTest and "
                "PrivateTest; name the folder that holds test/, with --split val (PublicTest) or "
                "--split test (PrivateTest)"
            )
        chosen = {
            name: [path for path in members if splits[path] == split]
            for name, members in folders.items()
        }
        return {name: members for name, members in chosen.items() if members}
    if base != named:
        raise absent
    return folders


def _fer2013_split(path: Path) -> str | None:
    """The split that FER2013's name of a picture states."""
    return FER2013_SPLITS.get(path.name.partition("_")[0])


def assign_labels(
    folders: Sequence[str], classes: Sequence[str], renamed: Mapping[str, str]
) -> dict[str, int | None]:
    """Each folder's label, a position in `classes`; None for a folder that is left out.

    `renamed` gives a folder the class that it holds, or "" to leave it out.

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
    root: Path,
    folders: Mapping[str, Sequence[Path]],
    labels: Mapping[str, int | None],
    side: int,
    trained_on: Collection[str] | None = None,
) -> Split:
    """Decode the pictures of every folder that has a label, as for training, in their order.

    Paths are relative to `root`; squares have `side` pixels.  `leak_free` tells which pictures
    equal none of `trained_on`, hashes of pixels; without these it is False everywhere.

    Raises:
        ImageError: a file cannot be decoded; the message names it.
    """
    paths, numbers, images, leak_free = [], [], [], []
    for name, members in folders.items():
        if (label := labels[name]) is None:
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
            leak_free.append(trained_on is not None and picture.fingerprint not in trained_on)
    return Split(np.stack(images), np.array(numbers, np.int64), paths, np.array(leak_free))


def training_fingerprints(index: Path) -> set[str]:
    """Hashes of the pixels of every picture that index.csv trains on.

    Raises:
        DatasetError: the table is missing or not one of the index stage.
    """
    columns = dict.fromkeys(("split", "sha256", "dropped_because"), str)
    table = read_table(index, columns, "the index stage")
    used = (table["split"] == "train") & (table["dropped_because"] == "")
    return set(table.loc[used, "sha256"])
