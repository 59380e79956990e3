from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from facial_expression.dataset.audit import class_counts, mark, summary
from facial_expression.dataset.listing import Row

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
            std = 0.9 if blank else 1.0
            rows.append(Row(path, label, split, f"{content:064d}", 48, 48, "L", 9.0, std))
        else:
            rows.append(Row(path, label, split, "", 0, 0, "", 0.0, 0.0, "", "undecodable: x"))
    return rows


def equal_pixels(one: Row, two: Row) -> bool:
    return one.sha256 == two.sha256 != ""


@given(rows=assigned())
def test_clean_drops_exactly_the_training_rows_that_leak(rows: list[Row]) -> None:
    marked = mark(rows, "clean")
    for i, (before, after) in enumerate(zip(rows, marked, strict=True)):
        leaks = {
            other.split for other in rows if equal_pixels(before, other) and other.split != "train"
        }
        if before.split == "train" and leaks:
            assert after.dropped_because == f"also in {' and '.join(sorted(leaks))}"
        else:
            assert after.dropped_because == before.dropped_because
        earlier = [other.path for other in rows[:i] if equal_pixels(before, other)]
        assert after.duplicate_of == (earlier[0] if earlier else "")
        assert (after.path, after.split, after.sha256) == (before.path, before.split, before.sha256)


@given(rows=assigned())
def test_nothing_that_can_be_decoded_leaves_val_or_test(rows: list[Row]) -> None:
    for after in mark(rows, "clean"):
        if after.split != "train" and after.sha256:
            assert after.dropped_because == ""


@given(rows=assigned())
def test_after_clean_no_pixels_of_val_or_test_are_trained_on(rows: list[Row]) -> None:
    used = [row for row in mark(rows, "clean") if not row.dropped_because]
    held = {row.sha256 for row in used if row.split != "train"}
    assert not held & {row.sha256 for row in used if row.split == "train"}


@given(rows=assigned())
def test_notebook_drops_nothing_but_finds_the_same_duplicates(rows: list[Row]) -> None:
    clean, notebook = mark(rows, "clean"), mark(rows, "notebook")
    assert [row.dropped_because for row in notebook] == [row.dropped_because for row in rows]
    assert [row.duplicate_of for row in notebook] == [row.duplicate_of for row in clean]


def naive_groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Duplicate groups from every pair of rows, without a dictionary of hashes."""
    group_of = list(range(len(rows)))
    for i, j in combinations(range(len(rows)), 2):
        if equal_pixels(rows[i], rows[j]):
            group_of[j] = group_of[i]
    groups = [[rows[i] for i in range(len(rows)) if group_of[i] == g] for g in set(group_of)]
    return [group for group in groups if len(group) > 1]


@given(rows=assigned())
def test_the_audit_counts_what_a_naive_loop_counts(rows: list[Row]) -> None:
    marked = mark(rows, "clean")
    found = summary(marked, "clean")
    groups = naive_groups(marked)
    splits = [{row.split for row in group} for group in groups]
    assert found["protocol"] == "clean"
    assert found["pictures"] == len(rows)
    assert found["used"] == {
        split: len([r for r in marked if r.split == split and r.dropped_because == ""])
        for split in SPLITS
    }
    assert sum(found["used"].values()) + sum(found["dropped"].values()) == len(rows)
    assert found["dropped"].get("undecodable", 0) == sum(r.sha256 == "" for r in rows)
    assert found["blank"] == sum(r.std == 0.9 for r in rows)
    assert found["duplicates"] == {
        "groups": len(groups),
        "files": sum(len(group) for group in groups),
        "groups_across_train_and_evaluation": len(
            [s for s in splits if "train" in s and ("val" in s or "test" in s)]
        ),
        "groups_across_val_and_test": len([s for s in splits if "val" in s and "test" in s]),
        "groups_with_conflicting_labels": len(
            [group for group in groups if any(row.label != group[0].label for row in group)]
        ),
    }


@given(rows=assigned())
def test_class_counts_sum_to_the_pictures_used(rows: list[Row]) -> None:
    marked = mark(rows, "clean")
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
    assert summary(mark(rows, "clean"), "clean") == {
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
    }
    assert summary(mark(rows, "notebook"), "notebook")["dropped"] == {}


def test_a_picture_without_a_class_conflicts_with_none() -> None:
    rows = [
        Row("train/a/1.png", "a", "train", "1", 48, 48, "L", 9.0, 30.0),
        Row("train/a/2.png", "", "train", "1", 48, 48, "L", 9.0, 30.0, "", "no votes"),
    ]
    counted = summary(mark(rows, "clean"), "clean", {"labels": "ferplus"})
    assert (counted["labels"], counted["classes"]) == ("ferplus", 1)
    assert counted["duplicates"]["groups_with_conflicting_labels"] == 0
    assert counted["dropped"] == {"no_votes": 1}
