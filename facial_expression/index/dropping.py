"""What leaves training, and why.  Nothing ever leaves val or test.

So an official test set stays whole and comparable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

from facial_expression.core.errors import DatasetError
from facial_expression.core.labels import class_order
from facial_expression.index.audit import Finding, conflicting
from facial_expression.index.table import Row

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

- leak: its pixels also stand in val or test;
- near_leak: a near-duplicate stands in val or test;
- duplicate, near_duplicate: one that comes earlier stays in train;
- conflicting_label: a duplicate or near-duplicate in any split has another label;
- blank, almost_blank, size_outlier, mode_outlier: as the audit finds them.
"""
NEAR: tuple[Drop, ...] = ("near_leak", "near_duplicate")
"""Kinds that only a search for near-duplicates finds."""
EXCLUDED = "excluded"


def drop(
    rows: Sequence[Row],
    found: Sequence[Finding],
    kinds: Collection[Drop],
    excluded: Collection[str] = (),
) -> list[Row]:
    """Fill `dropped_because` of the training rows that leave.

    Args:
        rows: grouped by `audit.group`.
        found: what `audit.findings` found in them.
        kinds: what leaves; the first of `Drop`'s kinds that fits is the reason.
        excluded: paths of training pictures that leave because a person says so.

    Raises:
        DatasetError: an excluded path is unknown, or stands in val or test.
    """
    _check(rows, excluded)
    relations = _Relations(rows, found)
    order = [kind for kind in get_args(Drop) if kind in kinds]
    dropped: list[Row] = []
    kept: set[str] = set()
    for row in rows:
        reason = ""
        if row.split == "train" and not row.dropped_because:  # else undecodable or unlabelled
            reasons = (relations.reason(row, kind, kept) for kind in order)
            reason = EXCLUDED if row.path in excluded else next(filter(None, reasons), "")
            if not reason:
                kept.add(row.path)
        # copies cost memory
        dropped.append(replace(row, dropped_because=reason) if reason else row)
    return dropped


class _Relations:
    """Which pictures are equal or alike, and what else was found about each."""

    def __init__(self, rows: Sequence[Row], found: Sequence[Finding]) -> None:
        self.kinds: Mapping[str, set[str]] = defaultdict(set)
        self.alike: Mapping[str, set[str]] = defaultdict(set)
        self.group: Mapping[str, list[Row]] = defaultdict(list)
        for row in rows:
            self.group[row.duplicate_of or row.path].append(row)
        for path, kind, partner, _ in found:
            if kind == "near_duplicate":
                self.alike[path].add(partner)
                self.alike[partner].add(path)
            elif not partner:
                self.kinds[path].add(kind)

    def reason(self, row: Row, kind: Drop, kept: Collection[str]) -> str:
        """Why a training row leaves for `kind`, empty if it stays; earlier ones of `kept` stay."""
        first = row.duplicate_of or row.path
        equal = self.group[first]
        alike = [other for path in self.alike.get(first, ()) for other in self.group[path]]
        match kind:
            case "leak":
                return _where("also in", equal)
            case "near_leak":
                return _where("nearly in", alike)
            case "duplicate":
                leaves = any(other.path in kept for other in equal)
            case "near_duplicate":
                leaves = any(other.path in kept for other in alike)
            case "conflicting_label":
                leaves = any(conflicting(other.label, row.label) for other in [*equal, *alike])
            case _:
                leaves = kind in self.kinds.get(row.path, ())
        return kind.replace("_", " ") if leaves else ""


def _where(how: str, others: Sequence[Row]) -> str:
    splits = class_order(row.split for row in others if row.split != "train")
    return f"{how} {' and '.join(splits)}" if splits else ""


def _check(rows: Sequence[Row], excluded: Collection[str]) -> None:
    if not excluded:
        return
    split_of = {row.path: row.split for row in rows}
    unknown = sorted(path for path in excluded if path not in split_of)
    if unknown:
        raise DatasetError(
            f"index.exclude: expected paths of images.zip, found {_some(unknown)}; remove them"
        )
    kept = sorted(path for path in excluded if split_of[path] != "train")
    if kept:
        raise DatasetError(
            f"index.exclude: expected training pictures, found {_some(kept)} of val or test, which "
            "nothing leaves; remove them"
        )


def _some(paths: Sequence[str], most: int = 3) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
