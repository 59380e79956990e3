"""Which split a picture is in: as its names say, or held out from train, seeded and stratified."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facial_expression.core.arrays import SPLITS
from facial_expression.core.errors import DatasetError
from facial_expression.core.labels import FER2013_SPLITS, SPLIT_FOLDERS

Protocol = Literal["clean", "notebook"]

RESERVED = {"path", "actual", "predicted"}
"""Columns of predictions/*.csv, beside one for each class."""


def assign_splits(
    table: pd.DataFrame, protocol: Protocol, val_fraction: float, test_fraction: float, seed: int
) -> pd.Series:
    """The split of each picture: train, val or test.

    - FER2013's names: train/ -> train, test/PublicTest_* -> val, test/PrivateTest_* -> test.
    - Protocol `notebook`: train/ -> train, everything else -> val, as in the seed notebook.
    - Otherwise the top folders are the splits.  If there is no test or no val, it is held out from
      train, test before val (`held_out`); where nothing is left for val, as of two persons, test is
      val.  Pictures with the pixels or the group of one in another split stay in train, where the
      audit finds them.

    Args:
        table: columns path, class, sha256 ("" if undecodable), group ("" if unknown; the column may
            lack), and split, which holds the top folder.
        protocol: of the parameters, as the others.
        val_fraction: of train to hold out if there is no val.
        test_fraction: the same for test.
        seed: of the hold-out.

    Raises:
        DatasetError: a top folder is not one of `core.labels.SPLIT_FOLDERS`.
    """
    if unknown := sorted(set(table["split"]) - set(SPLIT_FOLDERS)):
        what, found = "top folders train, val, test", ", ".join(unknown)
        raise DatasetError.expected("images.zip", what, found, "rename them")
    split = table["split"].map(SPLIT_FOLDERS)
    if protocol == "notebook":
        return split.replace("test", "val")
    tested = split == "test"
    usages = table.loc[tested, "path"].str.extract("([^/_]*)[^/]*$", expand=False)
    if set(usages) == {"PublicTest", "PrivateTest"} and not (split == "val").any():
        return split.mask(tested, usages.map(FER2013_SPLITS))
    unit = units(table)
    rng = np.random.default_rng(seed)
    for name, fraction in (("test", test_fraction), ("val", val_fraction)):
        if not (split == name).any():
            free = (table["sha256"] != "") & ~unit.isin(unit[split != "train"])
            chosen = held_out(table[free].assign(unit=unit[free]), fraction, rng)
            split = split.mask(free & unit.isin(chosen), name)
    if not tested.any() and not (split == "val").any():
        return split.replace("test", "val")
    return split


def units(table: pd.DataFrame) -> pd.Series:
    """A number by picture, equal for pictures that must share a split.

    They are linked by equal pixels or by a group, directly or through other pictures.
    """
    unit = pd.Series(range(len(table)), table.index)
    keys = [table[name] for name in ("sha256", "group") if name in table]
    keys = [key.mask(key == "", table["path"]) for key in keys]
    linked = None
    while not unit.equals(linked):
        linked = unit
        for key in keys:
            unit = unit.groupby(key).transform("min")
    return unit


def held_out(table: pd.DataFrame, fraction: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The units to hold out: about `fraction` of the distinct pictures of each class.

    Units come in random order and are taken, or put back, while that brings the shares of the
    classes closer to `fraction`.  At least one picture of each class is wanted, and at least one
    stays, so a class of one picture is not held out.  Without groups each class gets its number.

    Args:
        table: columns class, sha256, unit.
        fraction: above 0, below 1.
        rng: draws the order, which depends on the pixels and not on the file names.
    """
    distinct = table.drop_duplicates(["sha256", "class"]).sort_values("sha256")
    counts = pd.crosstab(distinct["unit"], distinct["class"]).loc[distinct["unit"].unique()]
    sizes = counts.to_numpy()  # (units, classes)
    total = sizes.sum(axis=0)
    wanted = np.clip(np.round(fraction * total), 1, np.maximum(total - 1, 1))
    possible = np.flatnonzero(((sizes < total) | (sizes == 0)).all(axis=1))

    def distance(held: NDArray[np.int64]) -> Any:
        return (((held - wanted) / wanted) ** 2).sum(axis=-1)

    held, taken = np.zeros_like(total), np.zeros(len(sizes), bool)
    order, best, before = rng.permutation(possible), distance(held), np.inf
    while best < before:
        before = best
        for i in order:
            other = held - sizes[i] if taken[i] else held + sizes[i]
            if (found := distance(other)) < best and ((other < total) | (sizes[i] == 0)).all():
                held, best, taken[i] = other, found, not taken[i]
    if not taken.any() and len(possible):  # few large units: the one that comes closest
        taken[possible[distance(sizes[possible]).argmin()]] = True
    return counts.index.to_numpy()[taken]


def check_classes(table: pd.DataFrame) -> None:
    """Check that the pictures in use can be trained on and scored.

    Raises:
        DatasetError: train has fewer than two classes or lacks one of val or test, a class has the
            name of a column of predictions/*.csv, or val is empty.
    """
    used = table[table["dropped_because"] == ""]
    train, val, test = (set(used.loc[used["split"] == split, "class"]) for split in SPLITS)
    lacking = sorted((val | test) - train)
    if len(train) < 2:
        gone = table.loc[table["split"] == "train", "dropped_because"].str.split(":").str[0]
        why = ", ".join(f"{n} {kind}" for kind, n in gone[gone != ""].value_counts().items())
        left = f" (left out of {len(gone)} training pictures: {why})" if why else ""
        what, found = "at least two classes to train on", f"{', '.join(train) or 'none'}{left}"
        remedy = "add pictures of each class under train/"
    elif reserved := sorted(train & RESERVED):
        what, found = "classes that are not columns of predictions/*.csv", ", ".join(reserved)
        remedy = "rename that folder"
    elif lacking:
        what = "train to hold every class of val and test"
        found = f"no picture of {', '.join(lacking)} left to train on"
        remedy = "add training pictures or remove the class"
    elif not val:
        what, remedy = "pictures for val", "add pictures, or a folder val/"
        found = "none, nor can any be held out of train: each class has one picture, or one person"
    else:
        return
    raise DatasetError.expected("images.zip", what, found, remedy)
