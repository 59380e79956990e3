"""Which split a picture is in: as its names say, or held out from train, seeded and stratified."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

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
      train, test before val: a fraction of the distinct pictures of each class
      in train, chosen by `seed`.  Equal pixels stay together.  At least one picture of each class
      is held out, and at least one stays in train.

    Args:
        table: columns path, class, sha256 ("" if undecodable), and split, which holds the top
            folder.
        protocol: of the parameters, as the others.
        val_fraction: of train to hold out if there is no val.
        test_fraction: the same for test.
        seed: of the hold-out.

    Raises:
        DatasetError: a top folder is not one of `core.labels.SPLIT_FOLDERS`.
    """
    if unknown := sorted(set(table["split"]) - set(SPLIT_FOLDERS)):
        raise DatasetError(
            f"images.zip: expected top folders train, val, test, found {', '.join(unknown)}; "
            "rename them"
        )
    split = table["split"].map(SPLIT_FOLDERS)
    if protocol == "notebook":
        return split.replace("test", "val")
    usages = table["path"].str.rpartition("/")[2].str.partition("_")[0]
    tested = split == "test"
    if set(usages[tested]) == {"PublicTest", "PrivateTest"} and not (split == "val").any():
        return split.mask(tested, usages.map(FER2013_SPLITS))
    rng = np.random.default_rng(seed)
    for held_out, fraction in (("test", test_fraction), ("val", val_fraction)):
        if (split == held_out).any():
            continue
        train = split == "train"
        # pixels that also are in another split stay in train, where the audit finds them
        free = train & ~table["sha256"].isin({"", *table.loc[~train, "sha256"]})
        distinct = table[free].drop_duplicates("sha256").sort_values("sha256")
        # docs/decisions.md, "The hold-out is ours", says why not StratifiedGroupKFold
        for _, pixels in distinct.groupby("class")["sha256"]:
            count = min(max(1, round(fraction * len(pixels))), len(pixels) - 1)
            held = pixels.iloc[rng.permutation(len(pixels))[:count]]
            split = split.mask(free & table["sha256"].isin(held), held_out)
    return split


def check_classes(table: pd.DataFrame) -> None:
    """Check that the pictures in use can be trained on and scored.

    Raises:
        DatasetError: train has fewer than two classes or lacks one of val or test, a class has the
            name of a column of predictions/*.csv, or val is empty.
    """
    used = table[table["dropped_because"] == ""]
    train, val, test = (set(used.loc[used["split"] == split, "class"]) for split in SPLITS)
    if len(train) < 2:
        raise DatasetError(
            "images.zip: expected at least two classes to train on, found "
            f"{', '.join(train) or 'none'}; add a folder of pictures for each class under train/"
        )
    if reserved := sorted(train & RESERVED):
        raise DatasetError(
            "images.zip: expected classes that are not columns of predictions/*.csv, found "
            f"{', '.join(reserved)}; rename that folder"
        )
    for split, classes in (("val", val), ("test", test)):
        if strange := sorted(classes - train):
            raise DatasetError(
                f"images.zip: expected train to hold every class of {split}, found no picture of "
                f"{', '.join(strange)} left to train on; add training pictures or remove the class"
            )
    if not val:
        raise DatasetError(
            "images.zip: expected pictures for val, found none; add a folder val/ or test/"
        )
