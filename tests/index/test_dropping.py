from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core.errors import DatasetError
from facial_expression.index.audit import Finding, group
from facial_expression.index.dropping import Drop, drop
from facial_expression.index.table import Row
from tests.index.test_audit import assigned, equal_pixels

KINDS: tuple[Drop, ...] = get_args(Drop)


@st.composite
def audited(draw: st.DrawFn) -> tuple[list[Row], list[Finding]]:
    """Grouped rows, with near-duplicates and blanks found among them at random."""
    rows = group(draw(assigned()))
    firsts = [row.path for row in rows if row.sha256 and not row.duplicate_of]
    found: list[Finding] = []
    if len(firsts) > 1:
        places = st.integers(0, len(firsts) - 1)
        pairs = draw(st.sets(st.tuples(places, places), max_size=12))
        found += [
            Finding(firsts[j], "near_duplicate", firsts[i], 0.9) for i, j in sorted(pairs) if i < j
        ]
    return rows, found + [
        Finding(row.path, "blank", "", row.std) for row in rows if row.sha256 and row.std < 1
    ]


def alike(one: Row, two: Row, rows: list[Row], found: list[Finding]) -> bool:
    """Whether a near-duplicate finding is about pictures with the pixels of these two."""
    by_path = {row.path: row for row in rows}
    return any(
        kind == "near_duplicate"
        and (
            (equal_pixels(by_path[path], one) and equal_pixels(by_path[partner], two))
            or (equal_pixels(by_path[path], two) and equal_pixels(by_path[partner], one))
        )
        for path, kind, partner, _ in found
    )


@given(case=audited())
def test_leak_drops_exactly_the_training_rows_that_leak(
    case: tuple[list[Row], list[Finding]],
) -> None:
    rows, found = case
    for before, after in zip(rows, drop(rows, found, ["leak"]), strict=True):
        leaks = {
            other.split for other in rows if equal_pixels(before, other) and other.split != "train"
        }
        reason = before.dropped_because
        if before.split == "train" and leaks:
            reason = f"also in {' and '.join(sorted(leaks))}"
        assert after == replace(before, dropped_because=reason)


@given(case=audited())
def test_near_leak_drops_exactly_what_is_like_a_picture_of_val_or_test(
    case: tuple[list[Row], list[Finding]],
) -> None:
    rows, found = case
    for before, after in zip(rows, drop(rows, found, ["near_leak"]), strict=True):
        near = {
            other.split
            for other in rows
            if other.split != "train" and alike(before, other, rows, found)
        }
        leaves = before.split == "train" and near and not before.dropped_because
        expected = f"nearly in {' and '.join(sorted(near))}" if leaves else before.dropped_because
        assert after.dropped_because == expected


@given(case=audited())
def test_duplicate_keeps_one_training_picture_of_each_group(
    case: tuple[list[Row], list[Finding]],
) -> None:
    rows, found = case
    kept = [row for row in drop(rows, found, ["duplicate"]) if not row.dropped_because]
    train = [row.sha256 for row in rows if row.split == "train" and row.sha256]
    assert sorted(row.sha256 for row in kept if row.split == "train") == sorted(set(train))


@given(case=audited())
def test_near_duplicate_leaves_no_pair_of_which_both_are_trained_on(
    case: tuple[list[Row], list[Finding]],
) -> None:
    rows, found = case
    kept = [row for row in drop(rows, found, ["near_duplicate"]) if not row.dropped_because]
    train = [row for row in kept if row.split == "train"]
    assert not any(alike(one, two, rows, found) for one in train for two in train)


@given(case=audited())
def test_conflicting_label_leaves_no_picture_that_has_two_labels(
    case: tuple[list[Row], list[Finding]],
) -> None:
    rows, found = case
    for before, after in zip(rows, drop(rows, found, ["conflicting_label"]), strict=True):
        conflict = any(
            other.label != before.label
            and (equal_pixels(before, other) or alike(before, other, rows, found))
            for other in rows
        )
        if before.split == "train" and not before.dropped_because:
            assert after.dropped_because == ("conflicting label" if conflict else "")


@given(case=audited())
def test_blank_drops_what_was_found_blank_in_train(case: tuple[list[Row], list[Finding]]) -> None:
    rows, found = case
    for row in drop(rows, found, ["blank"]):
        if row.split == "train" and row.sha256:
            assert row.dropped_because == ("blank" if row.std < 1 else "")


@given(case=audited(), kinds=st.sets(st.sampled_from(KINDS)))
def test_nothing_that_can_be_decoded_ever_leaves_val_or_test(
    case: tuple[list[Row], list[Finding]], kinds: set[Drop]
) -> None:
    rows, found = case
    for before, after in zip(rows, drop(rows, found, kinds), strict=True):
        if before.split != "train":
            assert after == before


@given(case=audited())
def test_without_a_kind_nothing_leaves(case: tuple[list[Row], list[Finding]]) -> None:
    rows, found = case
    assert drop(rows, found, []) == rows


@given(case=audited())
def test_with_leak_no_pixels_of_val_or_test_are_trained_on(
    case: tuple[list[Row], list[Finding]],
) -> None:
    rows, found = case
    used = [row for row in drop(rows, found, ["leak"]) if not row.dropped_because]
    held = {row.sha256 for row in used if row.split != "train"}
    assert not held & {row.sha256 for row in used if row.split == "train"}


@given(case=audited(), kinds=st.sets(st.sampled_from(KINDS)), data=st.data())
def test_a_copy_leaves_only_where_one_that_stays_came_before(
    case: tuple[list[Row], list[Finding]], kinds: set[Drop], data: st.DataObject
) -> None:
    rows, found = case
    train = [row.path for row in rows if row.split == "train"]
    excluded = data.draw(st.sets(st.sampled_from(train))) if train else set()
    after = drop(rows, found, kinds, excluded)
    for place, row in enumerate(after):
        if row.dropped_because in ("duplicate", "near duplicate") and row.split == "train":
            stay = [
                one for one in after[:place] if one.split == "train" and not one.dropped_because
            ]
            same = {
                "duplicate": lambda one, row=row: equal_pixels(one, row),
                "near duplicate": lambda one, row=row: alike(one, row, rows, found),
            }[row.dropped_because]
            assert any(map(same, stay))


def small() -> list[Row]:
    return [
        Row(f"{split}/sad/{i}.png", "sad", split, sha, 48, 48, "L", 9.0, 30.0)
        for i, (split, sha) in enumerate(
            [("train", "a"), ("train", "b"), ("val", "b"), ("test", "c")]
        )
    ]


def test_an_excluded_picture_leaves_and_that_is_the_reason() -> None:
    rows = group(small())
    after = drop(rows, [], ["leak"], {"train/sad/0.png"})
    assert [row.dropped_because for row in after] == ["excluded", "also in val", "", ""]
    after = drop(rows, [], ["leak"], {"train/sad/1.png"})
    assert [row.dropped_because for row in after] == ["", "excluded", "", ""]


def test_the_copy_of_an_excluded_picture_stays() -> None:
    rows = group([*small(), replace(small()[0], path="train/sad/5.png")])
    after = drop(rows, [], ["duplicate"], {"train/sad/0.png"})
    assert [row.dropped_because for row in after] == ["excluded", "", "", "", ""]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("train/sad/9.png", "expected paths of images.zip, found train/sad/9.png; remove"),
        ("val/sad/2.png", "expected training pictures, found val/sad/2.png of val or test"),
        ("test/sad/3.png", "expected training pictures, found test/sad/3.png of val or test"),
    ],
)
def test_what_cannot_be_excluded_is_one_clear_line(path: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason) as caught:
        drop(small(), [], ["leak"], {path, "train/sad/0.png"})
    assert "\n" not in str(caught.value)


def test_of_many_unknown_paths_three_are_named() -> None:
    with pytest.raises(DatasetError, match=r"found a0, a1, a2 and 6 more; remove"):
        drop(small(), [], [], {f"a{i}" for i in range(9)})
