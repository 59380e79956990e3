import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from facial_expression.index.audit import (
    KINDS,
    class_counts,
    comparable,
    duplicate_of,
    findings,
    leak_free,
    summary,
)
from facial_expression.index.dropping import drop
from tests.index.tables import SPLITS, audited, grouped, pairs, pictures, tables


def rows_of(found: pd.DataFrame) -> list[tuple]:
    return list(found.itertuples(index=False, name=None))


@settings(max_examples=25)
@given(table=tables())
def test_duplicate_of_is_the_first_path_with_the_same_pixels(table):
    for i, first in enumerate(duplicate_of(table)):
        sha256 = table["sha256"][i]
        earlier = [table["path"][j] for j in range(i) if sha256 and table["sha256"][j] == sha256]
        assert first == (earlier[0] if earlier else "")


def spans(table: pd.DataFrame, groups: list[set[str]], unit: str) -> dict[str, int]:
    """What the summary says of groups of paths, counted by a plain loop."""
    rows = table.set_index("path")
    splits = [set(rows["split"][list(group)]) for group in groups]
    labels = [set(rows["class"][list(group)]) for group in groups]
    return {
        unit: len(groups),
        "files": len(set().union(*groups)),
        f"{unit}_across_train_and_evaluation": sum("train" in s and len(s) > 1 for s in splits),
        f"{unit}_across_val_and_test": sum({"val", "test"} <= s for s in splits),
        f"{unit}_with_conflicting_labels": sum(len(names) > 1 for names in labels),
    }


@settings(max_examples=25)
@given(case=audited())
def test_the_summary_counts_what_a_plain_loop_counts(case):
    table, found = case
    said = summary(table, found, {"labels": "folders"}, searched=True)
    assert (said["labels"], said["pictures"]) == ("folders", len(table))
    used = table[table["dropped_because"] == ""]
    assert said["used"] == {split: (used["split"] == split).sum() for split in SPLITS}
    assert sum(said["used"].values()) + sum(said["dropped"].values()) == len(table)
    equal = [set(table["path"][table["sha256"] == sha]) for sha in set(table["sha256"]) - {""}]
    equal = [group for group in equal if len(group) > 1]
    assert said["duplicates"] == spans(table, equal, "groups")
    near = found[found["kind"] == "near_duplicate"]
    alike = [{path, partner} for path, _, partner, _ in rows_of(near)]
    assert said["near_duplicates"] == spans(table, alike, "pairs")
    assert said["findings"] == {kind: (found["kind"] == kind).sum() for kind in KINDS}
    for split in SPLITS:
        labels = used["class"][used["split"] == split].tolist()
        sizes = [labels.count(label) for label in set(labels)]
        assert said["imbalance"].get(split) == (max(sizes) / min(sizes) if sizes else None)
    paired = set().union(*equal, *alike)
    free = leak_free(table, found) == 1
    assert set(table["path"][~free]) == paired, "each member of a pair, in whatever split"
    counts = class_counts(table)
    assert counts["count"].sum() == len(used)
    for label, split, count in rows_of(counts):
        assert count == ((used["class"] == label) & (used["split"] == split)).sum()


def test_the_findings_and_counts_of_a_small_known_set():
    rows = [
        ("test/sad/0.png", "a", 30.0),
        ("train/happy/1.png", "a", 30.0),  # a leak with another label
        ("train/sad/2.png", "b", 0.0),  # blank
        ("train/sad/3.png", "c", 30.0),
        ("train/sad/4.png", "c", 30.0),  # a duplicate that may stay
        ("val/sad/5.png", "a", 30.0),
        ("train/fear/6.png", "d", 2.0),  # almost blank
    ]
    paths, sha256, std = zip(*rows, strict=True)
    table = grouped(pictures(paths, sha256=sha256, std=std))
    assert comparable(table)["path"].tolist() == ["test/sad/0.png", "train/sad/3.png"]
    found = findings(table, pairs(("train/sad/3.png", "test/sad/0.png", 0.9)))
    assert rows_of(found) == [
        ("train/happy/1.png", "duplicate", "test/sad/0.png", 1.0),
        ("val/sad/5.png", "duplicate", "test/sad/0.png", 1.0),
        ("train/sad/4.png", "duplicate", "train/sad/3.png", 1.0),
        ("train/sad/3.png", "near_duplicate", "test/sad/0.png", 0.9),
        ("train/happy/1.png", "conflicting_label", "test/sad/0.png", 1.0),
        ("train/sad/2.png", "blank", "", 0.0),
        ("train/fear/6.png", "almost_blank", "", 2.0),
    ]
    table["dropped_because"] = drop(table, found, ["leak"])
    said = summary(table, found, {"labels": "folders"}, searched=False)
    assert said["dropped"] == {"also_in_test_and_val": 1}
    assert (said["classes"], said["blank"], said["near_duplicates"]) == (3, 1, None)
    assert rows_of(class_counts(table)) == [
        *(("fear", "train", 1), ("fear", "val", 0), ("fear", "test", 0)),
        *(("sad", "train", 3), ("sad", "val", 1), ("sad", "test", 1)),
    ]


def test_of_pairs_those_across_splits_come_first_then_the_more_alike():
    paths = [f"train/sad/{i}.png" for i in range(5)]
    table = grouped(pictures([*paths, "val/sad/5.png"]))
    near = [(paths[1], paths[0], 0.8), ("val/sad/5.png", paths[0], 0.81)]
    near += [("val/sad/5.png", paths[1], 0.85), (paths[3], paths[2], 0.95)]
    assert findings(table, pairs(*near))["score"].tolist() == [0.85, 0.81, 0.95, 0.8]


def test_a_picture_without_a_class_conflicts_with_none():
    table = pictures(["train/a/1.png", "train/a/2.png"], sha256=["1", "1"])
    table = grouped(table.assign(**{"class": ["a", ""], "dropped_because": ["", "no votes"]}))
    found = findings(table, pairs())
    assert found["kind"].tolist() == ["duplicate"]
    counted = summary(table, found, {"labels": "ferplus"}, searched=True)
    assert counted["classes"] == 1
    assert counted["duplicates"]["groups_with_conflicting_labels"] == 0
    assert counted["dropped"] == {"no_votes": 1}


# Findings about one picture

MODES = ["RGB" if i % 3 else "L" for i in range(96)]
SIDES = np.append(np.exp(np.random.default_rng(0).normal(np.log(400), 0.3, 300)).round(), 16)


@pytest.mark.parametrize(
    ("kind", "columns", "expected"),
    [
        ("blank", {"std": [0.99, 0.0, 1.0, 7.99, 8.0]}, {1: 0.0, 0: 0.99}),
        ("almost_blank", {"std": [0.99, 0.0, 1.0, 7.99, 8.0]}, {2: 1.0, 3: 7.99}),
        (
            "size_outlier",  # in a set of one size every other size is one; the furthest first
            {"width": [48] * 98 + [96, 48], "height": [48] * 98 + [50, 12]},
            {99: 0.25, 98: 2.0},
        ),
        ("size_outlier", {"width": SIDES[:-1], "height": SIDES[:-1] * 1.2}, {}),
        ("size_outlier", {"width": SIDES, "height": SIDES}, {300: 16 / np.median(SIDES)}),
        ("size_outlier", {"width": [48 if i % 10 else 64 for i in range(100)]}, {}),  # too many
        ("mode_outlier", {"mode": MODES}, {}),
        (
            "mode_outlier",
            {"mode": [*MODES, "P", "P", "CMYK"]},
            {98: 1 / 99, 96: 2 / 99, 97: 2 / 99},
        ),
    ],
)
def test_findings_about_one_picture(kind, columns, expected):
    (count,) = {len(values) for values in columns.values()}
    table = grouped(pictures([f"train/sad/{i:03d}.png" for i in range(count)], **columns))
    found = findings(table, pairs())
    found = found[found["kind"] == kind]
    assert found["path"].str[-7:-4].astype(int).tolist() == list(expected)
    assert found["score"].tolist() == pytest.approx(list(expected.values()))
