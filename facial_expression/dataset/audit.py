"""Duplicates, blanks and leaks: what is wrong with a data set, and what leaves training for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from facial_expression.dataset.listing import Protocol, Row
from facial_expression.labels import class_order

BLANK_STD = 1.0
"""A picture whose grey levels deviate by less than this is blank."""

SPLITS = ("train", "val", "test")
FOLDER_LABELS = {"labels": "folders"}


def mark(rows: Sequence[Row], protocol: Protocol) -> list[Row]:
    """Fill `duplicate_of` (the first path with the same pixels) and `dropped_because`.

    Under protocol `clean`, a training row whose pixels also stand in val or test leaves training;
    nothing ever leaves val or test, so an official test set stays whole and comparable.  Protocol
    `notebook` drops nothing.
    """
    groups = _groups(rows)
    marked = []
    for row in rows:
        group = groups.get(row.sha256, [row])
        first = group[0].path
        leaks = class_order(other.split for other in group if other.split != "train")
        drop = protocol == "clean" and row.split == "train" and leaks and not row.dropped_because
        if first == row.path and not drop:
            marked.append(row)  # not copied: copies cost memory
            continue
        reason = f"also in {' and '.join(leaks)}" if drop else row.dropped_because
        other = "" if first == row.path else first
        marked.append(replace(row, duplicate_of=other, dropped_because=reason))
    return marked


def summary(
    rows: Sequence[Row], protocol: Protocol, labels: Mapping[str, Any] = FOLDER_LABELS
) -> dict[str, Any]:
    """What audit.json says: protocol and labels, counts of pictures, duplicates, blanks and drops.

    A duplicate group is two or more files with the same decoded grey pixels.
    """
    duplicates = _groups(rows).values()
    spans = [{row.split for row in group} for group in duplicates]
    dropped = Counter(row.dropped_because.partition(":")[0] for row in rows if row.dropped_because)
    per_split = Counter(row.split for row in rows if not row.dropped_because)
    return {
        "protocol": protocol,
        **labels,
        "pictures": len(rows),
        "classes": len({row.label for row in rows} - {""}),  # "": FER+ gives it none
        "used": {split: per_split[split] for split in SPLITS},
        "dropped": {reason.replace(" ", "_"): dropped[reason] for reason in sorted(dropped)},
        "blank": sum(row.std < BLANK_STD for row in rows if row.sha256),
        "duplicates": {
            "groups": len(duplicates),
            "files": sum(map(len, duplicates)),
            "groups_across_train_and_evaluation": sum(
                "train" in span and len(span) > 1 for span in spans
            ),
            "groups_across_val_and_test": sum({"val", "test"} <= span for span in spans),
            "groups_with_conflicting_labels": sum(
                len({row.label for row in group} - {""}) > 1 for group in duplicates
            ),
        },
    }


def class_counts(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    """(class, split, pictures used), by class, then train, val, test where the split has any."""
    used = [row for row in rows if not row.dropped_because]
    counts = Counter((row.label, row.split) for row in used)
    splits = [split for split in SPLITS if any(row.split == split for row in used)]
    labels = class_order(row.label for row in used)
    return [(label, split, counts[label, split]) for label in labels for split in splits]


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows with equal pixels, in their order, by hash; pictures that stand alone are left out."""
    decoded = sorted((row for row in rows if row.sha256), key=attrgetter("sha256"))
    groups = ((sha256, list(group)) for sha256, group in groupby(decoded, attrgetter("sha256")))
    return {sha256: group for sha256, group in groups if len(group) > 1}
