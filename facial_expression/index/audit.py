"""Faults of a data set: duplicates, conflicting labels, blank pictures, outliers, imbalance."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from facial_expression.core.arrays import SPLITS

KINDS = (
    *("duplicate", "near_duplicate", "conflicting_label"),
    *("blank", "almost_blank", "size_outlier", "mode_outlier"),
)
"""What a finding can be, in the order of audit.csv."""
COLUMNS = ["path", "kind", "partner", "score"]  # of audit.csv; docs/protocol.md, "The audit"
BLANK_STD = 1.0  # a picture is blank if its grey levels have a standard deviation below this
ALMOST_BLANK_STD = 8.0  # almost blank: not blank, and a standard deviation below this
RARE = 0.05  # sizes or modes that more than this share of the set has are not outliers
FENCE = 3.0  # interquartile ranges from the quartiles to the fences of sizes (Tukey 1977)


def duplicate_of(table: pd.DataFrame) -> pd.Series:
    """The first path with the same decoded pixels, "" if that is the picture itself."""
    first = table.groupby("sha256")["path"].transform("first")
    return first.mask((first == table["path"]) | (table["sha256"] == ""), "")


def originals(table: pd.DataFrame) -> pd.Series:
    """The first path with the same decoded pixels, or the picture's own: what names its group."""
    return table["duplicate_of"].mask(table["duplicate_of"] == "", table["path"])


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The pictures to search for near-duplicates: decoded, no duplicates, not (almost) blank."""
    seen = (table["sha256"] != "") & (table["duplicate_of"] == "")
    return table[seen & (table["std"] >= ALMOST_BLANK_STD)]


def findings(table: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """Every finding, with `COLUMNS`: by kind, and the most important of each kind first.

    Pairs across splits come before pairs inside one, then the more similar ones; then the emptiest
    blanks, the most unusual sizes, the rarest modes.

    Args:
        table: the index, with `duplicate_of`.
        near: near-duplicates, columns path, partner, score.
    """
    decoded = table[table["sha256"] != ""]
    equal = decoded.loc[decoded["duplicate_of"] != "", ["path", "duplicate_of"]]
    equal = equal.set_axis(["path", "partner"], axis=1).assign(score=1.0, kind="duplicate")
    pairs = pd.concat([equal, near.assign(kind="near_duplicate")]).astype({"score": float})
    known = decoded.set_index("path")
    one, two = (known.loc[pairs[column]].reset_index() for column in ("path", "partner"))
    pairs["inside"] = (one["split"] == two["split"]).to_numpy()
    pairs["weight"] = -pairs["score"]
    conflict = (one["class"] != two["class"]) & (one["class"] != "") & (two["class"] != "")
    alone = pd.concat([_blanks(decoded), _size_outliers(decoded), _mode_outliers(decoded)])
    found = pd.concat([
        pairs,
        pairs[conflict.to_numpy()].assign(kind="conflicting_label"),
        alone.assign(partner="", inside=False),
    ])  # fmt: skip
    found["kind"] = pd.Categorical(found["kind"], KINDS, ordered=True)
    found = found.sort_values(["kind", "inside", "weight", "path", "partner"], ignore_index=True)
    return found[COLUMNS].astype({"kind": str})


def leak_free(table: pd.DataFrame, found: pd.DataFrame) -> pd.Series:
    """1 if a picture has no duplicate and no near-duplicate in any split, else 0."""
    pairs = found[found["kind"].isin(["duplicate", "near_duplicate"])]
    return (~table["path"].isin([*pairs["path"], *pairs["partner"]])).astype(int)


def class_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Pictures in use, columns class, split, count: by class, then train, val, test.

    A split without any picture is left out.
    """
    used = table[table["dropped_because"] == ""]
    splits = [split for split in SPLITS if (used["split"] == split).any()]
    counts = pd.crosstab(used["class"], used["split"]).reindex(columns=splits)
    return counts.stack().rename("count").reset_index()


def summary(
    table: pd.DataFrame, found: pd.DataFrame, labels: Mapping[str, Any], searched: bool
) -> dict[str, Any]:
    """What audit.json says beside the protocol: labels, and counts of pictures and findings.

    A duplicate group is two or more files with the same decoded grey pixels; near-duplicates are
    counted in pairs of such groups or of single pictures, null if they were not searched.  The
    class imbalance is the size of the largest class over that of the smallest, among the classes
    that a split holds.
    """
    kinds = found["kind"].value_counts().reindex(KINDS, fill_value=0)
    dropped = table.loc[table["dropped_because"] != "", "dropped_because"]
    reasons = dropped.str.split(":").str[0].str.replace(" ", "_").value_counts().sort_index()
    counts = class_counts(table)
    sizes = counts[counts["count"] > 0].groupby("split")["count"]
    equal = table.assign(group=originals(table))
    near = found[found["kind"] == "near_duplicate"].reset_index(names="group")
    near = near.melt("group", ["path", "partner"], value_name="of")
    near = near.merge(table[["path", "split", "class"]], left_on="of", right_on="path")
    shared = {}
    if "group" in table:  # persons, subjects or clips
        shared["groups"] = _spans("groups", table[table["group"] != ""])
        del shared["groups"]["groups_with_conflicting_labels"]
    return {
        **labels,
        "pictures": len(table),
        "classes": len({*table["class"]} - {""}),
        "used": counts.groupby("split")["count"].sum().reindex(SPLITS, fill_value=0).to_dict(),
        "dropped": reasons.to_dict(),
        "blank": int(kinds["blank"]),
        "duplicates": _spans("groups", equal[equal["group"].duplicated(keep=False)]),
        "near_duplicates": _spans("pairs", near) if searched else None,
        **shared,
        "findings": kinds.to_dict(),
        "imbalance": (sizes.max() / sizes.min()).reindex(SPLITS).dropna().to_dict(),
    }


def _spans(unit: str, members: pd.DataFrame) -> dict[str, int]:
    """How many groups there are, and how many have members in several splits or classes.

    Args:
        unit: what a group is called.
        members: columns group, path, split, class; a row for each member of a group.
    """
    held = pd.crosstab(members["group"], members["split"]).reindex(columns=SPLITS, fill_value=0) > 0
    classes = members[members["class"] != ""].groupby("group")["class"].nunique()
    leaks = held["train"] & (held["val"] | held["test"])
    return {
        unit: len(held),
        "files": members["path"].nunique(),
        f"{unit}_across_train_and_evaluation": int(leaks.sum()),
        f"{unit}_across_val_and_test": int((held["val"] & held["test"]).sum()),
        f"{unit}_with_conflicting_labels": int((classes > 1).sum()),
    }


def _blanks(table: pd.DataFrame) -> pd.DataFrame:
    """Pictures whose grey levels hardly vary."""
    found = table.loc[table["std"] < ALMOST_BLANK_STD, ["path", "std"]]
    kind = np.where(found["std"] < BLANK_STD, "blank", "almost_blank")
    return found.rename(columns={"std": "score"}).assign(kind=kind, weight=found["std"])


def _size_outliers(table: pd.DataFrame) -> pd.DataFrame:
    """Widths and heights beyond Tukey's outer fences, on a logarithmic scale.

    If three quarters of the pictures have one size, every other size is beyond the fences; if more
    than `RARE` of the pictures are, none is an outlier.
    """
    sides = np.log(table[["width", "height"]])
    low, middle, high = (sides.quantile(q, interpolation="nearest") for q in (0.25, 0.5, 0.75))
    reach = FENCE * (high - low) + 1e-9  # rounding must not make an outlier
    outside = ((sides < low - reach) | (sides > high + reach)).any(axis=1)
    if outside.sum() > RARE * len(table):
        outside &= False
    off = (sides - middle)[outside].to_numpy()
    furthest = off[np.arange(len(off)), np.abs(off).argmax(axis=1)]
    found = table.loc[outside, ["path"]]
    return found.assign(kind="size_outlier", score=np.exp(furthest), weight=-np.abs(furthest))


def _mode_outliers(table: pd.DataFrame) -> pd.DataFrame:
    """Pictures of a mode (grey, colour, palette, ...) that at most `RARE` of the set has."""
    share = table.groupby("mode")["path"].transform("size") / max(len(table), 1)
    found = table[["path"]].assign(kind="mode_outlier", score=share, weight=share)
    return found[share <= RARE]
