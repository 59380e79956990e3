from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facial_expression.core.errors import DatasetError
from facial_expression.index.splits import assign_splits, check_classes
from tests.index.tables import CLASSES, SPLITS, pictures


def assigned(
    table: pd.DataFrame, protocol="clean", val: float = 0.2, test: float = 0.25, seed: int = 0
) -> pd.DataFrame:
    return table.assign(split=assign_splits(table, protocol, val, test, seed))


@st.composite
def plain_sets(draw: st.DrawFn, folders=("train",)) -> pd.DataFrame:
    """Rows in sorted order, some with equal pixels, some of them under two classes or folders."""
    kinds = st.tuples(st.sampled_from(folders), st.sampled_from(CLASSES), st.integers(0, 50))
    drawn = draw(st.lists(kinds, min_size=6, max_size=60))
    rows = sorted((f"{f}/{c}/{i:03d}.png", f"p{p}") for i, (f, c, p) in enumerate(drawn))
    return pictures([path for path, _ in rows], sha256=[sha for _, sha in rows])


FER2013 = ["test/happy/PrivateTest_1.jpg", "test/happy/PublicTest_2.jpg"]
FER2013 += ["train/sad/Training_3.jpg", "train/sad/PublicTest_4.jpg"]
BROUGHT = ["test/sad/a.png", "train/sad/a.png", "{}/sad/a.png"]


@pytest.mark.parametrize(
    ("paths", "protocol", "expected"),
    [
        (FER2013, "clean", ["test", "val", "train", "train"]),
        (FER2013, "notebook", ["val", "val", "train", "train"]),
        *(
            ([path.format(name) for path in BROUGHT], "clean", ["test", "train", "val"])
            for name in ("val", "valid", "validation")
        ),
    ],
)
def test_names_say_the_split(paths, protocol, expected):
    assert assigned(pictures(paths), protocol)["split"].tolist() == expected


@pytest.mark.parametrize("names", [("PublicTest_1", "PublicTest_2"), ("PrivateTest_1", "b_2")])
def test_with_other_names_val_is_held_out(names):
    paths = [f"test/happy/{name}.jpg" for name in names]
    paths += [f"train/{label}/Training_{i}.jpg" for label in ("happy", "sad") for i in range(5)]
    found = assigned(pictures(paths))["split"]
    assert set(found[:2]) == {"test"}
    assert set(found[2:]) == {"train", "val"}


# The hold-out


@settings(max_examples=40)
@given(table=plain_sets(), val=st.floats(0.05, 0.6), test=st.floats(0.05, 0.6))
def test_a_hold_out_takes_the_fraction_of_every_class_and_keeps_equal_pixels_together(
    table, val, test
):
    assert (assigned(table).groupby("sha256")["split"].nunique() == 1).all()
    table["sha256"] = table["class"] + table["sha256"]  # no picture under two classes
    found = assigned(table, val=val, test=test)
    assert set(found["split"]) <= set(SPLITS)
    assume("test" in set(found["split"]))  # too few for val and test
    distinct = found.drop_duplicates("sha256")
    for _, of_class in distinct.groupby("class"):
        counts = Counter(of_class["split"])
        total = counts.total()
        assert counts["test"] == min(max(1, round(test * total)), total - 1)
        left = total - counts["test"]
        assert counts["val"] == min(max(1, round(val * left)), left - 1)
        assert counts["train"] >= 1


@settings(max_examples=40)
@given(table=plain_sets(("test", "train")))
def test_val_is_held_out_from_train_and_shares_no_picture_with_test(table):
    found = assigned(table)
    if (brought := table["split"] == "test").any():
        assert ((found["split"] == "test") == brought).all()
    pixels = {split: set(found["sha256"][found["split"] == split]) for split in SPLITS}
    assert not pixels["val"] & (pixels["test"] | pixels["train"])


def test_a_hold_out_follows_its_seed_and_the_pixels_but_not_the_file_names():
    paths = [f"train/{label}/{i:02d}.png" for label in CLASSES for i in range(30)]
    table = pictures(paths)
    first = assigned(table, seed=3)["split"].tolist()
    assert first == assigned(table, seed=3)["split"].tolist()
    assert first != assigned(table, seed=4)["split"].tolist()
    last = np.random.default_rng(0).permutation(len(table))  # other names, in another order
    names = [f"{path[:-6]}{place:03d}.jpg" for path, place in zip(table["path"], last, strict=True)]
    renamed = assigned(table.assign(path=names).sort_values("path"), seed=3)
    splits = dict(zip(renamed["sha256"], renamed["split"], strict=True))
    assert first == [splits[pixels] for pixels in table["sha256"]]


@st.composite
def sets_with_groups(draw: st.DrawFn) -> pd.DataFrame:
    """40 pictures of each class or more, in groups of a few, with copies across groups."""
    sizes = draw(st.tuples(*[st.integers(40, 120) for _ in CLASSES]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    labels = np.repeat(CLASSES, sizes)
    groups = rng.integers(0, rng.integers(40, 200), len(labels))
    pixels = np.arange(len(labels)) - (rng.random(len(labels)) < 0.01)  # some like the one before
    names = [f"p{group}" if group % 7 else "" for group in groups]  # a seventh has none
    paths = [f"train/{label}/{i:03d}.png" for i, label in enumerate(labels)]
    return pictures(paths, sha256=[f"s{i}" for i in pixels], group=names)


@settings(max_examples=30)
@given(table=sets_with_groups(), seed=st.integers(0, 99))
def test_no_group_and_no_copy_crosses_and_every_class_keeps_its_share(table, seed):
    found = assigned(table, seed=seed, val=0.2, test=0.2)
    named = found[found["group"] != ""]
    assert (named.groupby("group")["split"].nunique() == 1).all()
    assert (found.groupby("sha256")["split"].nunique() == 1).all()
    shares = pd.crosstab(found["class"], found["split"], normalize="index")
    assert shares["test"].between(0.1, 0.3).all(), shares
    assert shares["val"].between(0.06, 0.26).all(), shares


@settings(max_examples=40)
@given(table=plain_sets(), data=st.data())
def test_small_sets_with_groups_leave_every_class_in_train(table, data):
    names = st.sampled_from(["", "a", "b", "c", "d"])
    table["group"] = data.draw(st.lists(names, min_size=len(table), max_size=len(table)))
    found = assigned(table)
    assert set(found["class"][found["split"] == "train"]) == set(table["class"])
    named = found[found["group"] != ""]
    assert (named.groupby("group")["split"].nunique() == 1).all()


def test_few_large_groups_give_the_one_that_comes_closest():
    paths = [f"train/{label}/{i:02d}.png" for label in CLASSES for i in range(30)]
    table = pictures(paths, group=[f"p{i % 30 // 12}" for i in range(90)])  # 12, 12 and 6 of each
    found = assigned(table, val=0.01, test=0.01)
    assert found.groupby("split")["group"].unique().str.join("").str.len().to_dict() == {
        **{"test": 2, "train": 2, "val": 2}
    }
    assert set(found["group"][found["split"] == "test"]) == {"p2"}


def test_a_class_of_one_picture_stays_in_train():
    paths = [f"train/happy/{i}.png" for i in range(9)] + ["train/sad/0.png", "train/sad/1.png"]
    found = assigned(pictures([*paths, "train/fear/0.png"]))
    assert found["split"][found["class"] == "fear"].tolist() == ["train"]
    assert set(found["split"][found["class"] == "sad"]) == {"train", "test"}


@pytest.mark.parametrize(("persons", "splits"), [(1, {""}), (2, {"val"}), (3, {"val", "test"})])
def test_of_few_persons_val_comes_before_test(persons, splits):
    paths = [f"train/{label}/{i}.png" for label in CLASSES for i in range(6)]
    found = assigned(pictures(paths, group=[f"p{i % persons}" for i in range(len(paths))]))
    assert set(found["split"]) == {"train", *splits - {""}}
    assert (found.groupby("group")["split"].nunique() == 1).all()
    if persons == 1:
        with pytest.raises(DatasetError, match=r"or one person; add pictures, or a folder val/"):
            check_classes(found)


@pytest.mark.parametrize("seed", range(10))
def test_undecodable_pictures_are_not_held_out(seed):
    paths = [f"train/{c}/{i}.png" for c in CLASSES for i in range(8)]
    table = pictures(paths)
    table.loc[:3, ["sha256", "dropped_because"]] = ["", "undecodable: x"]
    assert set(assigned(table, seed=seed)["split"][:4]) == {"train"}


# Checks


def test_unknown_top_folders_are_named():
    paths = ["Train/happy/a.png", "train/happy/b.png", "extra/sad/c.png"]
    with pytest.raises(DatasetError, match="found Train, extra; rename them"):
        assigned(pictures(paths))


USABLE = ["train/happy/a.png", "train/sad/b.png", "val/sad/c.png", "test/happy/d.png"]


@pytest.mark.parametrize(
    ("paths", "unused", "said"),
    [
        (["train/happy/a.png", "val/happy/b.png"], [], "found happy"),
        (["val/happy/b.png"], [], "found none"),
        (USABLE, ["train/sad/b.png"], "found happy"),
        ([*USABLE, "val/fear/e.png"], [], "of val and test, found no picture of fear"),
        ([*USABLE, "test/fear/e.png"], [], "of val and test, found no picture of fear"),
        ([*USABLE, "test/fear/e.png", "train/fear/f.png"], ["train/fear/f.png"], "picture of fear"),
        (USABLE, USABLE[:2], r"found none \(left out of 2 training pictures: 2 undecodable\)"),
        (USABLE[:2] + USABLE[3:], [], "expected pictures for val"),
        ([*USABLE, "train/actual/e.png"], [], "not columns of predictions/.*, found actual"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_one_line(paths, unused, said):
    table = pictures(paths)
    check_classes(pictures(USABLE))
    table["dropped_because"] = ["undecodable: x" if path in unused else "" for path in paths]
    with pytest.raises(DatasetError, match=said):
        check_classes(table)
