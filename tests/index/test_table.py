from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_expression.core.errors import DatasetError
from facial_expression.index import table
from facial_expression.index.table import Row, assign_splits, check_classes, describe, scan
from facial_expression.pictures.archive import members
from tests.helpers import make_archive, picture, tiny_pictures

CLASSES = ("angry", "happy", "sad")
SPLITS = ("train", "val", "test")


def row(path: str, pixels: str = "", dropped: str = "") -> Row:
    """A row as `describe` gives it; `pixels` names its content, by default nobody else's."""
    folder, label, _ = path.split("/")
    sha256 = "" if dropped else hashlib.sha256((pixels or path).encode()).hexdigest()
    return Row(path, label, folder, sha256, 48, 48, "L", 100.0, 50.0, "", dropped)


def assign(
    rows: Sequence[Row],
    protocol: table.Protocol = "clean",
    val: float = 0.2,
    test: float = 0.25,
    seed: int = 0,
) -> list[Row]:
    return assign_splits(rows, protocol, val, test, seed)


def splits(rows: Sequence[Row]) -> dict[str, str]:
    return {row.path: row.split for row in rows}


@st.composite
def plain_sets(draw: st.DrawFn, folders: Sequence[str] = ("train",)) -> list[Row]:
    """Rows in sorted order, some with equal pixels, some of them under two classes or folders."""
    size = draw(st.integers(6, 60))
    kinds = st.tuples(st.sampled_from(folders), st.sampled_from(CLASSES), st.integers(0, 50))
    drawn = draw(st.lists(kinds, min_size=size, max_size=size))
    rows = [row(f"{f}/{c}/{i:03d}.png", f"p{p}") for i, (f, c, p) in enumerate(drawn)]
    return sorted(rows, key=lambda row: row.path)


# Facts about a picture


def test_facts_about_a_picture() -> None:
    pixels = np.array([[0, 10, 20], [30, 40, 50]], np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    found = describe("train/sad/a.png", stream.getvalue())
    assert (found.path, found.label, found.split) == ("train/sad/a.png", "sad", "train")
    assert (found.width, found.height, found.mode) == (3, 2, "L")
    assert found.mean == pytest.approx(25)
    assert found.std == pytest.approx(np.sqrt(((pixels - 25.0) ** 2).mean()))
    assert len(found.sha256) == 64
    assert (found.duplicate_of, found.dropped_because) == ("", "")


def test_a_picture_that_cannot_be_decoded_says_why() -> None:
    found = describe("train/sad/a.png", b"no picture")
    assert found.dropped_because == "undecodable: not a picture of a known format"
    assert found.sha256 == ""


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_scan_keeps_the_order_whatever_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(table, "CHUNK", 4)
    pictures = tiny_pictures()
    names = sorted(pictures)
    path = make_archive(tmp_path / "images.zip", pictures)
    found = list(scan(path, members(path), workers))
    assert found == [describe(name, pictures[name]) for name in names]


# FER2013's names


def test_fer2013_s_names_say_the_split() -> None:
    rows = [
        row("test/happy/PrivateTest_1.jpg"),
        row("test/happy/PublicTest_2.jpg"),
        row("train/happy/Training_3.jpg"),
        row("train/sad/PublicTest_4.jpg"),
        row("train/sad/Training_5.jpg"),
    ]
    assert list(splits(assign(rows)).values()) == ["test", "val", "train", "train", "train"]


def test_protocol_notebook_validates_on_the_whole_test_folder() -> None:
    found = assign([describe(*item) for item in sorted(tiny_pictures().items())], "notebook")
    assert Counter(row.split for row in found) == {"train": 18, "val": 12}
    assert all(
        row.split == {"train": "train", "test": "val"}[row.path[:5].strip("/")] for row in found
    )


@pytest.mark.parametrize("names", [("PublicTest_1", "PublicTest_2"), ("PrivateTest_1", "b_2")])
def test_other_names_are_no_fer2013_so_val_is_held_out(names: tuple[str, str]) -> None:
    rows = [row(f"test/happy/{name}.jpg") for name in names]
    rows += [row(f"train/{label}/Training_{i}.jpg") for label in ("happy", "sad") for i in range(5)]
    found = assign(rows)
    assert {row.split for row in found if row.path.startswith("test/")} == {"test"}
    assert {row.split for row in found if row.path.startswith("train/")} == {"train", "val"}


# The hold-out


@given(rows=plain_sets(), seed=st.integers(0, 99))
def test_a_hold_out_is_a_partition_that_keeps_equal_pixels_together(
    rows: list[Row], seed: int
) -> None:
    found = assign(rows, seed=seed)
    assert [replace(row, split="train") for row in found] == rows, "only the split changes"
    assert {row.split for row in found} <= {"train", "val", "test"}
    split_of: dict[str, str] = {}
    for item in found:
        assert split_of.setdefault(item.sha256, item.split) == item.split


@given(rows=plain_sets(), val=st.floats(0.05, 0.6), test=st.floats(0.05, 0.6))
def test_a_hold_out_takes_the_fraction_of_every_class(
    rows: list[Row], val: float, test: float
) -> None:
    found = assign(rows, val=val, test=test)
    first: dict[str, Row] = {}  # distinct pictures, under the class of their first file
    for item in found:
        first.setdefault(item.sha256, item)
    for label in {item.label for item in first.values()}:
        counts = Counter(item.split for item in first.values() if item.label == label)
        total = counts.total()
        assert counts["test"] == min(max(1, round(test * total)), total - 1)
        left = total - counts["test"]
        assert counts["val"] == min(max(1, round(val * left)), left - 1)
        assert counts["train"] >= 1


def test_a_hold_out_follows_its_seed() -> None:
    rows = [row(f"train/{label}/{i:02d}.png") for label in CLASSES for i in range(30)]
    assert assign(rows, seed=3) == assign(rows, seed=3)
    assert assign(rows, seed=3) != assign(rows, seed=4)


def test_a_hold_out_does_not_depend_on_file_names() -> None:
    """The choice goes by pixels, so renaming a file moves no other picture."""
    rows = [row(f"train/{label}/{i:02d}.png", f"{label}{i}") for label in CLASSES for i in range(9)]
    renamed = [
        row(f"train/{r.label}/z{r.path[-6:]}", f"{r.label}{int(r.path[-6:-4])}") for r in rows
    ]
    assert [r.split for r in assign(rows)] == [r.split for r in assign(renamed)]


@given(rows=plain_sets(("test", "train")))
def test_val_is_held_out_from_train_and_shares_no_picture_with_test(rows: list[Row]) -> None:
    found = assign(rows)
    brought = {row.path for row in rows if row.split == "test"}
    if brought:
        assert {row.path for row in found if row.split == "test"} == brought
    pixels = {split: {row.sha256 for row in found if row.split == split} for split in SPLITS}
    assert not pixels["val"] & pixels["test"]
    assert not pixels["val"] & pixels["train"]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_folders_that_the_set_brings_are_kept(name: str) -> None:
    rows = [row(f"{f}/{c}/{i}.png") for f in ("test", "train", name) for c in CLASSES for i in "ab"]
    expected = {r.path: "val" if r.path.startswith("val") else r.split for r in rows}
    assert splits(assign(rows)) == expected


def test_undecodable_pictures_are_not_held_out() -> None:
    rows = [row(f"train/{c}/{i}.png") for c in CLASSES for i in range(8)]
    rows += [row(f"train/sad/bad{i}.png", dropped="undecodable: x") for i in range(8)]
    found = assign(rows)
    assert {row.split for row in found if row.dropped_because} == {"train"}
    assert Counter(row.split for row in found if row.label == "sad" and row.sha256) == Counter(
        row.split for row in found if row.label == "angry"
    )


# What is no data set


def test_unknown_top_folders_are_named() -> None:
    rows = [row("Train/happy/a.png"), row("train/happy/b.png"), row("extra/sad/c.png")]
    with pytest.raises(DatasetError, match="found Train, extra; rename them"):
        assign(rows)


def checked(*paths: str, dropped: str = "") -> str:
    rows = [row(path) for path in paths]
    rows += [row(dropped, dropped="undecodable: x")] if dropped else []
    with pytest.raises(DatasetError) as caught:
        check_classes(rows)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_fewer_than_two_classes() -> None:
    assert "found happy" in checked("train/happy/a.png", "val/happy/b.png")
    assert "found none" in checked("val/happy/b.png")
    one_left = checked("train/happy/a.png", "val/happy/b.png", dropped="train/sad/c.png")
    assert "found happy" in one_left


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_train_lacks(split: str) -> None:
    paths = ["train/happy/a.png", "train/sad/a.png", "val/sad/b.png", f"{split}/fear/c.png"]
    message = checked(*paths)
    assert split in message
    assert "fear" in message
    assert "fear" in checked(*paths, dropped="train/fear/d.png"), "it cannot be decoded"


def test_no_picture_to_validate_on() -> None:
    assert "for val" in checked("train/happy/a.png", "train/sad/b.png", "test/sad/c.png")


def test_a_set_without_fault_passes(tmp_path: Path) -> None:
    pictures = {f"train/{c}/{i}.png": picture(i, kind="PNG") for c in CLASSES for i in range(6)}
    path = make_archive(tmp_path / "images.zip", pictures)
    rows = list(scan(path, members(path), 1))
    rows = [replace(r, sha256=f"{i:064d}") for i, r in enumerate(rows)]
    check_classes(assign(rows))


def test_a_hold_out_never_takes_the_last_picture_of_a_class():
    rows = [
        table.Row(f"train/{label}/{i}.jpg", label, "train", f"{label}{i}", 48, 48, "L", 0.0, 9.0)
        for label, count in (("happy", 1), ("sad", 2), ("fear", 3))
        for i in range(count)
    ]
    split = table.assign_splits(rows, "clean", 0.5, 0.5, 0)
    train = [row.label for row in split if row.split == "train"]
    assert set(train) == {"happy", "sad", "fear"}
    assert {row.label for row in split if row.split == "test"} == {"sad", "fear"}


def test_a_class_called_like_a_column_is_refused():
    rows = [
        table.Row(f"{split}/{label}/0.jpg", label, split, f"{split}{label}", 8, 8, "L", 0.0, 9.0)
        for label in ("actual", "sad")
        for split in ("train", "val", "test")
    ]
    with pytest.raises(DatasetError, match="no column of the tables, found actual"):
        table.check_classes(rows)
