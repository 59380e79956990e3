"""What leaves training, and why.  Nothing leaves val or test: an official test set stays whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
EXCLUDED = "excluded"


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
    _check(table, excluded)
    group = table["duplicate_of"].mask(table["duplicate_of"] == "", table["path"])
    equal = pd.DataFrame({"group": group, "split": table["split"], "class": table["class"]})
    near = found.loc[found["kind"] == "near_duplicate", ["path", "partner"]].to_numpy()
    related = pd.DataFrame([*near, *near[:, ::-1]], columns=["group", "other"], dtype=str)
    alike = related.merge(equal.drop_duplicates().rename(columns={"group": "other"}))
    also, nearly = _evaluation_splits(equal), _evaluation_splits(alike)
    labels = pd.concat([equal, alike]).query("`class` != ''").groupby("group")["class"].nunique()
    conflicts = set(labels.index[labels > 1])
    others = related.groupby("group")["other"].agg(set).to_dict()
    alone = found[found["partner"] == ""].groupby("kind")["path"].agg(set).to_dict()
    kept: set[str] = set()  # groups of which a picture stays in train

    def leaves(kind: Drop, path: str, of: str) -> str:
        """The reason why a picture of a group leaves for `kind`, "" if it stays."""
        match kind:
            case "leak":
                return f"also in {also[of]}" if of in also else ""
            case "near_leak":
                return f"nearly in {nearly[of]}" if of in nearly else ""
            case "duplicate":
                fits = of in kept
            case "near_duplicate":
                fits = not kept.isdisjoint(others.get(of, ()))
            case "conflicting_label":
                fits = of in conflicts
            case _:
                fits = path in alone.get(kind, ())
        return kind.replace("_", " ") if fits else ""

    order = [kind for kind in get_args(Drop) if kind in kinds]
    reasons = []
    columns = table["path"], table["split"], table["dropped_because"], group
    for path, split, known, of in zip(*columns, strict=True):
        reason = known
        if split == "train" and not reason:
            possible = (leaves(kind, path, of) for kind in order)
            reason = EXCLUDED if path in excluded else next(filter(None, possible), "")
            if not reason:
                kept.add(of)
        reasons.append(reason)
    return pd.Series(reasons, index=table.index)


def _evaluation_splits(members: pd.DataFrame) -> dict[str, str]:
    """Of each group with members in val or test: which, such as `test and val`."""
    outside = members.loc[members["split"] != "train", ["group", "split"]].drop_duplicates()
    return outside.sort_values("split").groupby("group")["split"].agg(" and ".join).to_dict()


def _check(table: pd.DataFrame, excluded: Collection[str]) -> None:
    if unknown := sorted(set(excluded) - set(table["path"])):
        raise DatasetError(
            f"index.exclude: expected paths of images.zip, found {_some(unknown)}; remove them"
        )
    if kept := sorted(set(excluded) - set(table.loc[table["split"] == "train", "path"])):
        raise DatasetError(
            f"index.exclude: expected training pictures, found {_some(kept)} of val or test, which "
            "nothing leaves; remove them"
        )


def _some(paths: Sequence[str], most: int = 3) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
