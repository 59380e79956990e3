"""What is wrong with a data set: duplicates, conflicting labels, blanks, outliers, imbalance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from facial_expression.core.labels import class_order
from facial_expression.index.faults import (
    ALMOST_BLANK_STD,
    KINDS,
    Finding,
    blanks,
    mode_outliers,
    size_outliers,
)
from facial_expression.index.near_duplicates import Pair
from facial_expression.index.table import Protocol, Row

SPLITS = ("train", "val", "test")
FOLDER_LABELS = {"labels": "folders"}


def group(rows: Sequence[Row]) -> list[Row]:
    """Fill `duplicate_of`: the first path with the same decoded pixels, if that is another."""
    first: dict[str, str] = {}
    grouped = []
    for row in rows:
        path = first.setdefault(row.sha256, row.path) if row.sha256 else row.path
        # copies cost memory
        grouped.append(row if path == row.path else replace(row, duplicate_of=path))
    return grouped


def findings(
    rows: Sequence[Row], near: Callable[[list[Row]], Iterable[Pair]] = lambda rows: ()
) -> list[Finding]:
    """Everything that is wrong with grouped rows, by kind; in each, what weighs most comes first.

    Pairs across splits come before those inside one, then the more similar ones.

    Args:
        rows: grouped.
        near: finds the near-duplicates among some rows: the first picture of each group of
            duplicates, and none that is blank or almost.
    """
    decoded = [row for row in rows if row.sha256]
    by_path = {row.path: row for row in decoded}
    pairs = [*_duplicates(decoded), *_near_duplicates(decoded, near)]
    pairs += [
        finding._replace(kind="conflicting_label")
        for finding in pairs
        if conflicting(by_path[finding.path].label, by_path[finding.partner].label)
    ]

    def weight(finding: Finding) -> tuple[int, bool, float, str, str]:
        inside = by_path[finding.path].split == by_path[finding.partner].split
        return KINDS.index(finding.kind), inside, -finding.score, finding.path, finding.partner

    pairs.sort(key=weight)
    return [*pairs, *blanks(decoded), *size_outliers(decoded), *mode_outliers(decoded)]


def paired(found: Sequence[Finding]) -> set[str]:
    """Paths of the pictures that have a duplicate or near-duplicate, in whatever split."""
    pairs = [finding for finding in found if finding.kind in ("duplicate", "near_duplicate")]
    return {path for pair in pairs for path in (pair.path, pair.partner)}


def conflicting(*labels: str) -> bool:
    """Whether there are different labels among them; an empty one (no FER+ label) is none."""
    return len({*labels} - {""}) > 1


def summary(
    rows: Sequence[Row],
    found: Sequence[Finding],
    protocol: Protocol,
    labels: Mapping[str, Any] = FOLDER_LABELS,
    searched: bool = True,
) -> dict[str, Any]:
    """What audit.json says: how the set is labelled and used, and counts of what was found.

    A duplicate group is two or more files with the same decoded grey pixels; near-duplicates are
    counted in pairs of such groups, or of pictures that stand alone; null where they were not
    searched.  A class imbalance is the
    largest class over the smallest, among the classes that a split holds.
    """
    by_path = {row.path: row for row in rows}
    dropped = Counter(row.dropped_because.partition(":")[0] for row in rows if row.dropped_because)
    counts = class_counts(rows)
    kinds = Counter(finding.kind for finding in found)
    near = [
        (by_path[finding.path], by_path[finding.partner])
        for finding in found
        if finding.kind == "near_duplicate"
    ]
    return {
        "protocol": protocol,
        **labels,
        "pictures": len(rows),
        "classes": len({row.label for row in rows} - {""}),
        "used": {split: sum(n for _, at, n in counts if at == split) for split in SPLITS},
        "dropped": {reason.replace(" ", "_"): dropped[reason] for reason in sorted(dropped)},
        "blank": kinds["blank"],
        "duplicates": _spans("groups", _groups(rows)),
        "near_duplicates": _spans("pairs", near) if searched else None,
        "findings": {kind: kinds[kind] for kind in KINDS},
        "imbalance": {
            split: max(sizes) / min(sizes)
            for split in SPLITS
            if (sizes := [n for _, at, n in counts if at == split and n])
        },
    }


def class_counts(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    """(class, split, pictures used), by class, then train, val, test where the split has any."""
    used = [row for row in rows if not row.dropped_because]
    counts = Counter((row.label, row.split) for row in used)
    splits = [split for split in SPLITS if any(row.split == split for row in used)]
    labels = class_order(row.label for row in used)
    return [(label, split, counts[label, split]) for label in labels for split in splits]


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """The groups of duplicates; pictures that stand alone are left out."""
    groups: dict[str, list[Row]] = {row.duplicate_of: [] for row in rows if row.duplicate_of}
    for row in rows:
        if (first := row.duplicate_of or row.path) in groups:
            groups[first].append(row)
    return list(groups.values())


def _spans(unit: str, groups: Sequence[Sequence[Row]]) -> dict[str, int]:
    """How many groups of rows there are, and how many reach across splits or classes."""
    spans = [{row.split for row in group} for group in groups]
    conflicts = [conflicting(*(row.label for row in group)) for group in groups]
    return {
        unit: len(groups),
        "files": len({row.path for group in groups for row in group}),
        f"{unit}_across_train_and_evaluation": sum(
            "train" in span and len(span) > 1 for span in spans
        ),
        f"{unit}_across_val_and_test": sum({"val", "test"} <= span for span in spans),
        f"{unit}_with_conflicting_labels": sum(conflicts),
    }


def _duplicates(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        if row.duplicate_of:
            yield Finding(row.path, "duplicate", row.duplicate_of, 1.0)


def _near_duplicates(
    rows: Sequence[Row], near: Callable[[list[Row]], Iterable[Pair]]
) -> Iterator[Finding]:
    seen = [row for row in rows if not row.duplicate_of and row.std >= ALMOST_BLANK_STD]
    for first, second, similarity in near(seen):
        yield Finding(seen[second].path, "near_duplicate", seen[first].path, similarity)
