import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from facial_expression.index.audit import (
    class_counts,
    comparable,
    duplicate_of,
    findings,
    leak_free,
    summary,
)
from facial_expression.index.dropping import drop
from tests.index.tables import grouped, pairs, pictures, tables


def rows_of(found: pd.DataFrame) -> list[tuple]:
    return list(found.itertuples(index=False, name=None))


@settings(max_examples=25)
@given(table=tables())
def test_duplicate_of_is_the_first_path_with_the_same_pixels(table):
    for i, first in enumerate(duplicate_of(table)):
        sha256 = table["sha256"][i]
        earlier = [table["path"][j] for j in range(i) if sha256 and table["sha256"][j] == sha256]
        assert first == (earlier[0] if earlier else "")


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
    said = summary(table, found, {"labels": "folders"}, searched=True)
    assert (said["pictures"], said["classes"], said["blank"]) == (7, 3, 1)
    assert said["used"] == {"train": 4, "val": 1, "test": 1}
    assert said["dropped"] == {"also_in_test_and_val": 1}
    assert said["duplicates"] == {
        "groups": 2,
        "files": 5,
        "groups_across_train_and_evaluation": 1,
        "groups_across_val_and_test": 1,
        "groups_with_conflicting_labels": 1,
    }
    assert said["near_duplicates"] == {
        "pairs": 1,
        "files": 2,
        "pairs_across_train_and_evaluation": 1,
        "pairs_across_val_and_test": 0,
        "pairs_with_conflicting_labels": 0,
    }
    assert list(said["findings"].items())[:3] == [
        *(("duplicate", 3), ("near_duplicate", 1), ("conflicting_label", 1))
    ]
    assert said["imbalance"] == {"train": 3, "val": 1, "test": 1}
    assert summary(table, found, {}, searched=False)["near_duplicates"] is None
    assert leak_free(table, found).tolist() == [0, 0, 1, 0, 0, 0, 1], "of a pair each member leaks"
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
