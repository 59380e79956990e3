from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.index.audit import (
    KINDS,
    Finding,
    class_counts,
    findings,
    group,
    summary,
)
from facial_expression.index.dropping import drop
from facial_expression.index.near_duplicates import Pair
from facial_expression.index.table import Row

CLASSES = ("angry", "happy", "sad")
SPLITS = ("train", "val", "test")


@st.composite
def assigned(draw: st.DrawFn) -> list[Row]:
    """Rows with splits; few contents, so that duplicates abound; some cannot be decoded."""
    kinds = st.tuples(
        st.sampled_from(SPLITS), st.sampled_from(CLASSES), st.integers(0, 12), st.booleans()
    )
    rows = []
    for i, (split, label, content, blank) in enumerate(draw(st.lists(kinds, max_size=40))):
        path = f"{split}/{label}/{i:03d}.png"
        if content:
            std = 0.9 if blank else 40.0
            rows.append(Row(path, label, split, f"{content:064d}", 48, 48, "L", 9.0, std))
        else:
            rows.append(Row(path, label, split, "", 0, 0, "", 0.0, 0.0, "", "undecodable: x"))
    return rows


def equal_pixels(one: Row, two: Row) -> bool:
    return one.sha256 == two.sha256 != ""


@given(rows=assigned())
def test_duplicate_of_is_the_first_path_with_the_same_pixels(rows: list[Row]) -> None:
    for i, (before, after) in enumerate(zip(rows, group(rows), strict=True)):
        earlier = [other.path for other in rows[:i] if equal_pixels(before, other)]
        assert after == replace(before, duplicate_of=earlier[0] if earlier else "")


def naive_groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Duplicate groups from every pair of rows, without a dictionary of hashes."""
    group_of = list(range(len(rows)))
    for i, j in combinations(range(len(rows)), 2):
        if equal_pixels(rows[i], rows[j]):
            group_of[j] = group_of[i]
    groups = [[rows[i] for i in range(len(rows)) if group_of[i] == g] for g in set(group_of)]
    return [group for group in groups if len(group) > 1]


def spans(groups: list[list[Row]], unit: str) -> dict[str, int]:
    splits = [{row.split for row in group} for group in groups]
    return {
        unit: len(groups),
        "files": len({row.path for group in groups for row in group}),
        f"{unit}_across_train_and_evaluation": len(
            [s for s in splits if "train" in s and ("val" in s or "test" in s)]
        ),
        f"{unit}_across_val_and_test": len([s for s in splits if "val" in s and "test" in s]),
        f"{unit}_with_conflicting_labels": len(
            [group for group in groups if any(row.label != group[0].label for row in group)]
        ),
    }


@given(rows=assigned(), data=st.data())
def test_the_audit_counts_what_a_naive_loop_counts(rows: list[Row], data: st.DataObject) -> None:
    marked = group(rows)
    found = findings(marked)
    pairs = [data.draw(st.permutations(rows))[:2] for _ in range(3)] if len(rows) > 1 else []
    found += [Finding(two.path, "near_duplicate", one.path, 0.9) for one, two in pairs]
    audit = summary(marked, found, "clean")
    assert (audit["protocol"], audit["labels"], audit["pictures"]) == (
        "clean",
        "folders",
        len(rows),
    )
    assert audit["used"] == {
        split: len([r for r in marked if r.split == split and r.dropped_because == ""])
        for split in SPLITS
    }
    assert sum(audit["used"].values()) + sum(audit["dropped"].values()) == len(rows)
    assert audit["dropped"].get("undecodable", 0) == sum(r.sha256 == "" for r in rows)
    assert audit["blank"] == sum(r.std == 0.9 for r in rows)
    assert audit["duplicates"] == spans(naive_groups(marked), "groups")
    assert audit["near_duplicates"] == spans(pairs, "pairs")
    for kind in KINDS:
        assert audit["findings"][kind] == sum(finding.kind == kind for finding in found)
    for split in SPLITS:
        used = [r.label for r in marked if r.split == split and not r.dropped_because]
        sizes = [used.count(label) for label in set(used)]
        assert audit["imbalance"].get(split) == (max(sizes) / min(sizes) if sizes else None)


@given(rows=assigned())
def test_class_counts_sum_to_the_pictures_used(rows: list[Row]) -> None:
    marked = group(rows)
    table = class_counts(marked)
    assert len({entry[:2] for entry in table}) == len(table)
    for label, split, count in table:
        assert count == sum(
            (r.label, r.split) == (label, split) and not r.dropped_because for r in marked
        )
    assert sum(count for *_, count in table) == sum(not r.dropped_because for r in marked)
    order = [(label, SPLITS.index(split)) for label, split, _ in table]
    assert order == sorted(order)


def test_class_counts_say_zero_where_a_class_lacks_a_split() -> None:
    rows = [
        Row("train/a/1.png", "a", "train", "1", 1, 1, "L", 0.0, 9.0),
        Row("train/b/2.png", "b", "train", "2", 1, 1, "L", 0.0, 9.0),
        Row("val/a/3.png", "a", "val", "3", 1, 1, "L", 0.0, 9.0),
    ]
    assert class_counts(rows) == [
        ("a", "train", 1), ("a", "val", 1), ("b", "train", 1), ("b", "val", 0),
    ]  # fmt: skip


def test_the_summary_of_a_small_known_set() -> None:
    rows = [
        Row(f"{split}/{label}/{i}.png", label, split, sha, 48, 48, "L", 9.0, std)
        for i, (split, label, sha, std) in enumerate([
            ("test", "sad", "a", 30.0),
            ("train", "happy", "a", 30.0),  # leaks, under another label
            ("train", "sad", "b", 0.0),  # blank
            ("train", "sad", "c", 30.0),
            ("train", "sad", "c", 30.0),  # a duplicate that may stay
            ("val", "sad", "a", 30.0),
        ])
    ]  # fmt: skip
    marked = group(rows)
    found = findings(marked)
    assert found == [
        Finding("train/happy/1.png", "duplicate", "test/sad/0.png", 1.0),
        Finding("val/sad/5.png", "duplicate", "test/sad/0.png", 1.0),
        Finding("train/sad/4.png", "duplicate", "train/sad/3.png", 1.0),
        Finding("train/happy/1.png", "conflicting_label", "test/sad/0.png", 1.0),
        Finding("train/sad/2.png", "blank", "", 0.0),
    ]
    assert summary(drop(marked, found, ["leak"]), found, "clean") == {
        "protocol": "clean",
        "labels": "folders",
        "pictures": 6,
        "classes": 2,
        "used": {"train": 3, "val": 1, "test": 1},
        "dropped": {"also_in_test_and_val": 1},
        "blank": 1,
        "duplicates": {
            "groups": 2,
            "files": 5,
            "groups_across_train_and_evaluation": 1,
            "groups_across_val_and_test": 1,
            "groups_with_conflicting_labels": 1,
        },
        "near_duplicates": {
            "pairs": 0,
            "files": 0,
            "pairs_across_train_and_evaluation": 0,
            "pairs_across_val_and_test": 0,
            "pairs_with_conflicting_labels": 0,
        },
        "findings": {
            "duplicate": 3,
            "near_duplicate": 0,
            "conflicting_label": 1,
            "blank": 1,
            "almost_blank": 0,
            "size_outlier": 0,
            "mode_outlier": 0,
        },
        "imbalance": {"train": 1.0, "val": 1.0, "test": 1.0},
    }


# Findings about one picture


def one_by_one(kind: str, rows: Sequence[Row]) -> dict[str, float]:
    return {path: score for path, of, _, score in findings(rows) if of == kind}


def alone(
    number: int, width: int = 48, height: int = 48, mode: str = "L", std: float = 40.0
) -> Row:
    path = f"train/sad/{number:03d}.png"
    return Row(path, "sad", "train", f"{number}", width, height, mode, 9.0, std)


def test_blank_and_almost_blank_part_at_their_thresholds() -> None:
    rows = [alone(i, std=std) for i, std in enumerate((0.0, 0.99, 1.0, 7.99, 8.0))]
    assert one_by_one("blank", rows) == {"train/sad/000.png": 0.0, "train/sad/001.png": 0.99}
    assert one_by_one("almost_blank", rows) == {"train/sad/002.png": 1.0, "train/sad/003.png": 7.99}


def test_in_a_set_of_one_size_every_other_size_is_an_outlier() -> None:
    rows = [alone(i) for i in range(98)] + [alone(98, width=96, height=50), alone(99, height=12)]
    found = one_by_one("size_outlier", rows)
    assert list(found) == ["train/sad/099.png", "train/sad/098.png"], "the furthest comes first"
    assert list(found.values()) == pytest.approx([0.25, 2.0])


def test_a_mixture_of_sizes_has_no_outliers_but_a_thumbnail_among_photographs_is_one() -> None:
    rng = np.random.default_rng(0)
    sides = np.exp(rng.normal(np.log(400), 0.3, 300)).round().astype(int).tolist()
    mixture = [alone(i, side, int(side * 1.2)) for i, side in enumerate(sides)]
    assert one_by_one("size_outlier", mixture) == {}
    assert list(one_by_one("size_outlier", [*mixture, alone(300, 16, 16)])) == ["train/sad/300.png"]
    halves = [alone(i, 48 if i % 10 else 64) for i in range(100)]
    assert one_by_one("size_outlier", halves) == {}, "a tenth is no outlier"


def test_a_rare_mode_is_an_outlier_and_a_common_one_is_not() -> None:
    rows = [alone(i, mode="RGB" if i % 3 else "L") for i in range(96)]
    assert one_by_one("mode_outlier", rows) == {}
    rows += [alone(96, mode="P"), alone(97, mode="P"), alone(98, mode="CMYK")]
    assert one_by_one("mode_outlier", rows) == pytest.approx(
        {"train/sad/098.png": 1 / 99, "train/sad/096.png": 2 / 99, "train/sad/097.png": 2 / 99}
    )


def test_near_duplicates_are_sought_among_first_pictures_that_are_not_blank() -> None:
    rows = [alone(i) for i in range(6)]
    rows[2] = replace(rows[2], sha256="1", label="happy")  # equal to 1
    rows[3] = replace(rows[3], std=2.0)
    rows[4] = replace(rows[4], label="fear")
    asked: list[str] = []

    def near(seen: list[Row]) -> list[Pair]:
        asked.extend(row.path for row in seen)
        return [Pair(1, 2, 0.9)]

    found = findings(group(rows), near)
    assert asked == [f"train/sad/00{i}.png" for i in (0, 1, 4, 5)]
    assert found == [
        Finding("train/sad/002.png", "duplicate", "train/sad/001.png", 1.0),
        Finding("train/sad/004.png", "near_duplicate", "train/sad/001.png", 0.9),
        Finding("train/sad/002.png", "conflicting_label", "train/sad/001.png", 1.0),
        Finding("train/sad/004.png", "conflicting_label", "train/sad/001.png", 0.9),
        Finding("train/sad/003.png", "almost_blank", "", 2.0),
    ]


def test_of_pairs_those_across_splits_come_first_then_the_more_alike() -> None:
    rows = [alone(i) for i in range(6)]
    rows[5] = replace(rows[5], split="test")
    pairs = [Pair(0, 1, 0.8), Pair(0, 5, 0.81), Pair(1, 5, 0.85), Pair(2, 3, 0.95)]
    assert [finding.score for finding in findings(rows, lambda _: pairs)] == [0.85, 0.81, 0.95, 0.8]


def test_a_picture_without_a_class_conflicts_with_none() -> None:
    rows = [
        Row("train/a/1.png", "a", "train", "1", 48, 48, "L", 9.0, 30.0),
        Row("train/a/2.png", "", "train", "1", 48, 48, "L", 9.0, 30.0, "", "no votes"),
    ]
    rows = group(rows)
    found = findings(rows)
    assert [finding.kind for finding in found] == ["duplicate"]
    counted = summary(drop(rows, found, ["leak"]), found, "clean", {"labels": "ferplus"})
    assert (counted["labels"], counted["classes"]) == ("ferplus", 1)
    assert counted["duplicates"]["groups_with_conflicting_labels"] == 0
    assert counted["dropped"] == {"no_votes": 1}
