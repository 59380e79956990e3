"""What leaves training, and why.  Nothing leaves val or test: an official test set stays whole."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

import pandas as pd

from facial_expression.core.errors import DatasetError

Drop = Literal[
    "leak",
    "near_leak",
    "duplicate",
    "near_duplicate",
    "conflicting_label",
    "blank",
    "almost_blank",
    "size_outlier",
    "mode_outlier",
]
"""Kinds of training pictures that can leave training:

- leak: its pixels also are in val or test;
- near_leak: a near-duplicate is in val or test;
- duplicate, near_duplicate: an earlier one stays in train;
- conflicting_label: a duplicate or near-duplicate in any split has another label;
- blank, almost_blank, size_outlier, mode_outlier: as the audit finds them.
"""
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
    for known, expected, end in (
        (path, "paths of images.zip", ""),
        (path[train], "training pictures", " of val or test, which nothing leaves"),
    ):
        if strange := sorted(set(excluded) - set(known)):
            more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
            raise DatasetError(
                f"index.exclude: expected {expected}, found {', '.join(strange[:3])}{more}{end}; "
                "remove them"
            )
    group = table["duplicate_of"].mask(table["duplicate_of"] == "", path)
    equal = table[["split", "class"]].assign(group=group)
    near = found.loc[found["kind"] == "near_duplicate", ["path", "partner"]].to_numpy()
    related = pd.DataFrame([*near, *near[:, ::-1]], columns=["group", "other"], dtype=str)
    alike = related.merge(equal.drop_duplicates().rename(columns={"group": "other"}))

    first = table["dropped_because"]  # the reasons that come before duplicates
    first = first.mask(train & (first == "") & path.isin(excluded), "excluded")
    for kind, words, members in (("leak", "also in", equal), ("near_leak", "nearly in", alike)):
        outside = members[members["split"] != "train"].sort_values("split")
        splits = outside.groupby("group")["split"].unique()
        texts = {of: f"{words} {' and '.join(names)}" for of, names in splits.items()}
        if kind in kinds:
            first = first.mask(train & (first == "") & group.isin(texts), group.map(texts))

    labels = pd.concat([equal, alike]).query("`class` != ''").groupby("group")["class"].nunique()
    fitting = {"conflicting_label": group.isin(labels.index[labels > 1])}
    last = pd.Series("", table.index)  # the reasons that come after duplicates
    for kind in get_args(Drop)[4:]:
        fits = fitting.get(kind, path.isin(found.loc[found["kind"] == kind, "path"]))
        if kind in kinds:
            last = last.mask((last == "") & fits, kind.replace("_", " "))

    reasons = first.copy()
    others = related.groupby("group")["other"].agg(list).to_dict()
    kept: set[str] = set()  # groups of which a picture stays in train
    for i in table.index[train & (first == "")]:
        if "duplicate" in kinds and group[i] in kept:
            reasons[i] = "duplicate"
        elif "near_duplicate" in kinds and not kept.isdisjoint(others.get(group[i], ())):
            reasons[i] = "near duplicate"
        elif last[i]:
            reasons[i] = last[i]
        else:
            kept.add(group[i])
    return reasons
