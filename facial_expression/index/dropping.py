"""What leaves training, and why.  Nothing leaves val or test: an official test set stays whole."""

from collections.abc import Collection
from typing import Literal, get_args

import pandas as pd

from facial_expression.core.errors import DatasetError
from facial_expression.index.audit import originals

Drop = Literal[
    "leak",  # its pixels also are in val or test
    "near_leak",  # a near-duplicate is in val or test
    "conflicting_label",  # a duplicate or near-duplicate in any split has another label
    "blank",  # this and the next three as the audit finds them
    "almost_blank",
    "size_outlier",
    "mode_outlier",
    "duplicate",  # an earlier one stays in train
    "near_duplicate",  # the same
]
"""Kinds of training pictures that can leave training."""
NEAR: tuple[Drop, ...] = ("near_leak", "near_duplicate")
"""Kinds that only a search for near-duplicates finds."""


def drop(
    table: pd.DataFrame,
    found: pd.DataFrame,
    kinds: Collection[Drop],
    excluded: Collection[str] = (),
) -> pd.Series:
    """Why each picture is not used; "" if it is.

    Args:
        table: the index, with `duplicate_of`, and `dropped_because` of undecodable and unlabelled
            pictures, which keep that reason.
        found: the findings of `audit.findings`.
        kinds: what leaves; the first of `Drop`'s kinds that fits is the reason.
        excluded: paths of training pictures that a person excludes.

    Raises:
        DatasetError: an excluded path is unknown, or in val or test.
    """
    path, train = table["path"], table["split"] == "train"
    if strange := sorted(set(excluded) - set(path[train])):
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        what, listed = "paths of training pictures in images.zip", ", ".join(strange[:3])
        raise DatasetError.expected("index.exclude", what, listed + more, "remove them")
    original = originals(table)
    equal = table[["split", "class"]].assign(original=original)
    near = found.loc[found["kind"] == "near_duplicate", ["path", "partner"]]
    near = pd.concat([near, near.set_axis(["partner", "path"], axis=1)])
    alike = near.set_axis(["original", "of"], axis=1).merge(
        equal.drop_duplicates().rename(columns={"original": "of"})
    )
    equal, labelled = _several(equal), _several(pd.concat([equal, alike]).query("`class` != ''"))
    conflict = labelled.groupby("original")["class"].nunique() > 1
    named = {
        "leak": original.map(_outside(equal, "also in")),
        "near_leak": original.map(_outside(alike, "nearly in")),
        "conflicting_label": original.map(conflict.map({True: "conflicting label"})),
    }
    left = train & (table["dropped_because"] == "")
    reasons = table["dropped_because"].mask(left & path.isin(excluded), "excluded")
    for kind in get_args(Drop)[:-2]:
        if kind in kinds:
            of_kind = dict.fromkeys(found["path"][found["kind"] == kind], kind.replace("_", " "))
            why = named.get(kind, path.map(of_kind))
            reasons = reasons.mask(train & (reasons == "") & why.notna(), why)
    if {"duplicate", "near_duplicate"}.isdisjoint(kinds):
        return reasons
    left = train & (reasons == "")
    return reasons.mask(left, _later(original[left], near, kinds))


def _later(original: pd.Series, near: pd.DataFrame, kinds: Collection[Drop]) -> pd.Series:
    """The reason of each training picture that is left; "" of the first of its copies.

    `original` names the group of equal pixels; `near` has columns path, partner, both ways.
    """
    others = near.groupby("path")["partner"].agg(list).to_dict()
    reasons = pd.Series("", original.index)
    kept: set[str] = set()
    for i, of in original.items():
        if "duplicate" in kinds and of in kept:
            reasons[i] = "duplicate"
        elif "near_duplicate" in kinds and not kept.isdisjoint(others.get(of, ())):
            reasons[i] = "near duplicate"
        else:
            kept.add(of)
    return reasons


def _several(members: pd.DataFrame) -> pd.DataFrame:
    """Those that are not alone; few of a large set, of which all would take long."""
    return members[members["original"].duplicated(keep=False)]


def _outside(members: pd.DataFrame, words: str) -> pd.Series:
    """By original: `words` and the splits other than train that hold members of it."""
    outside = members[members["split"] != "train"].drop_duplicates(["original", "split"])
    splits = outside.sort_values("split").groupby("original")["split"].agg(" and ".join)
    return words + " " + splits
