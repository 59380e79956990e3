from typing import get_args

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.core.errors import DatasetError
from facial_expression.index.dropping import Drop, drop
from tests.index.tables import audited, grouped, pairs, pictures

KINDS: tuple[Drop, ...] = get_args(Drop)


def expected(
    table: pd.DataFrame, found: pd.DataFrame, kinds: set[Drop], excluded: set[str]
) -> list[str]:
    """The reasons by the words of docs/protocol.md, one picture after another."""
    rows = list(table.itertuples())
    label = dict(zip(table["path"], table["class"], strict=True))
    group = {row.path: row.duplicate_of or row.path for row in rows}
    near = {
        frozenset((path, partner))
        for path, kind, partner, _ in found.itertuples(index=False)
        if kind == "near_duplicate"
    }
    kept: list[str] = []
    reasons = []
    for row in rows:
        equal = [one for one in rows if group[one.path] == group[row.path]]
        alike = [one for one in rows if frozenset((group[one.path], group[row.path])) in near]
        evaluated = {one.split for one in equal if one.split != "train"}
        nearly = {one.split for one in alike if one.split != "train"}
        conflict = any(label[one.path] != label[row.path] for one in [*equal, *alike])
        of_it = set(found["kind"][(found["path"] == row.path) & (found["partner"] == "")])
        possible = [
            ("leak", evaluated and "also in " + " and ".join(sorted(evaluated))),
            ("near_leak", nearly and "nearly in " + " and ".join(sorted(nearly))),
            ("conflicting_label", conflict and "conflicting label"),
            *((kind, kind in of_it and kind.replace("_", " ")) for kind in KINDS[3:7]),
            ("duplicate", any(one.path in kept for one in equal) and "duplicate"),
            ("near_duplicate", any(one.path in kept for one in alike) and "near duplicate"),
        ]
        reason = row.dropped_because
        if row.split == "train" and not reason:
            fitting = [why for kind, why in possible if kind in kinds and why]
            reason = "excluded" if row.path in excluded else (fitting or [""])[0]
            if not reason:
                kept.append(row.path)
        reasons.append(reason)
    return reasons


@settings(max_examples=25)
@given(case=audited(), kinds=st.sets(st.sampled_from(KINDS)), data=st.data())
def test_a_picture_leaves_for_the_first_kind_that_fits(case, kinds, data):
    table, found = case
    train = table["path"][table["split"] == "train"].tolist()
    excluded = data.draw(st.sets(st.sampled_from(train))) if train else set()
    after = drop(table, found, kinds, excluded)
    assert after.tolist() == expected(table, found, kinds, excluded)
    outside = table["split"] != "train"
    assert (after[outside] == table["dropped_because"][outside]).all(), "nothing leaves val or test"


@settings(max_examples=25)
@given(case=audited())
def test_with_leak_no_pixels_of_val_or_test_are_trained_on(case):
    table, found = case
    used = table[drop(table, found, ["leak"]) == ""]
    train = used["split"] == "train"
    assert not set(used["sha256"][train]) & set(used["sha256"][~train])


PATHS = ["train/sad/0.png", "train/sad/1.png", "val/sad/2.png", "test/sad/3.png", "train/sad/4.png"]
SMALL = grouped(pictures(PATHS, sha256=list("abbca")))
FOUND = pairs().assign(kind="")


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["train/sad/9.png"], "training pictures in images.zip, found train/sad/9.png; remove"),
        (["val/sad/2.png", "test/sad/3.png"], "found test/sad/3.png, val/sad/2.png; remove"),
        ([f"a{i}" for i in range(9)], "found a0, a1, a2 and 6 more; remove"),
    ],
)
def test_pictures_that_cannot_be_excluded_are_named_in_one_line(paths, reason):
    with pytest.raises(DatasetError, match=reason):
        drop(SMALL, FOUND, ["leak"], {*paths, "train/sad/0.png"})
