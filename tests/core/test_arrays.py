import errno
import os
import signal
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core.arrays import (
    Saliency,
    choose,
    read_saliency,
    read_split,
    write_array,
    write_saliency,
)
from facial_expression.core.errors import DatasetError
from tests.helpers import make_split, one_line, write_rows


def write_split(folder: Path, split: str, sizes: list[int], first: int = 0) -> None:
    """Shards of the given sizes, from number `first`; the pixels and label of element i are i."""
    starts = np.cumsum([0, *sizes])
    for number, (start, size) in enumerate(zip(starts, sizes, strict=False), first):
        labels = np.arange(start, start + size, dtype=np.int64)
        images = np.broadcast_to(labels.astype(np.uint8)[:, None, None], (size, 2, 2))
        write_array(folder / split / f"images-{number:03d}.npy", images)
        write_array(folder / split / f"labels-{number:03d}.npy", labels)
    write_rows(folder, split, [(10 * i, f"{split}/a/{i}.png", True) for i in range(sum(sizes))])


@pytest.mark.parametrize(("sizes", "first"), [([3], 0), ([1, 5, 2], 0), ([1, 5, 2], 998)])
def test_shards_are_read_as_one_in_their_order(tmp_path, sizes, first):
    write_split(tmp_path, "val", sizes, first)
    split = read_split(tmp_path, "val")
    count = sum(sizes)
    assert len(split) == count
    pictures = np.asarray(split.images)
    assert (pictures.dtype, split.labels.dtype) == (np.uint8, np.int64)
    np.testing.assert_array_equal(split.labels, np.arange(count))
    np.testing.assert_array_equal(pictures[:, 0, 0], np.arange(count))
    assert split.paths == [f"val/a/{i}.png" for i in range(count)]


@given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_any_rows_are_those_of_the_whole_array_and_no_others_are_read(data, sizes):
    with tempfile.TemporaryDirectory() as folder:
        write_split(Path(folder), "val", sizes)
        images = read_split(Path(folder), "val").images
        whole = np.asarray(images)
        rows = data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=20))
        np.testing.assert_array_equal(images[np.array(rows, int)], whole[np.array(rows, int)])
        for row in (-1, len(whole)):
            with pytest.raises(IndexError):
                images[np.array([0, row])]
        last = Path(folder, "val", f"images-{len(sizes) - 1:03}.npy")
        os.truncate(last, last.stat().st_size - 1)
        images[np.arange(len(whole) - 1)]
        with pytest.raises(DatasetError, match=one_line(str(last), "preprocess")):
            images[np.array([len(whole) - 1])]


def test_memory_grows_with_the_rows_that_are_asked_for(tmp_path):
    pictures = np.zeros((4000, 48, 48), np.uint8)
    make_split(tmp_path, "train", pictures, np.zeros(4000, np.int64), shards=3)
    images = read_split(tmp_path, "train").images
    tracemalloc.start()
    try:
        for first in range(0, 4000, 100):
            images[np.arange(first, first + 100)]
        assert tracemalloc.get_traced_memory()[1] < 1e6  # 100 pictures are 230 kB, all are 9.2 MB
    finally:
        tracemalloc.stop()


def test_a_part_of_a_split_keeps_every_column_together(tmp_path):
    write_split(tmp_path, "val", [3, 2])
    write_array(tmp_path / "val" / "targets-000.npy", np.eye(5, dtype=np.float32))
    write_rows(tmp_path, "val", [(i, f"{i}.png", i > 2) for i in range(5)])
    part = (split := read_split(tmp_path, "val")).where(split.leak_free)
    assert (part.paths, part.labels.tolist()) == (["3.png", "4.png"], [3, 4])
    np.testing.assert_array_equal(part.images, np.asarray(split.images)[3:])
    np.testing.assert_array_equal(part.targets, np.eye(5)[3:])
    assert part.leak_free.all()


def test_soft_targets_are_read_where_there_are_some(tmp_path):
    write_split(tmp_path, "train", [2, 1])
    assert read_split(tmp_path, "train").targets is None
    targets = np.array([[0.5, 0.5], [0.25, 0.75], [1, 0]], np.float32)
    write_array(tmp_path / "train" / "targets-000.npy", targets[:2])
    with pytest.raises(DatasetError, match=r"targets float32 \(2, 2\)\); run"):
        read_split(tmp_path, "train")
    write_array(tmp_path / "train" / "targets-001.npy", targets[2:])
    np.testing.assert_array_equal(read_split(tmp_path, "train").targets, targets)


def test_a_write_that_stops_midway_says_why_and_leaves_nothing(tmp_path):
    """A limit of file sizes stands for a full disk: the kernel cuts the write in both."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            write_array(tmp_path / "images-000.npy", np.zeros(60_000, np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_split_says_which_there_are_in_the_order_of_the_protocol(tmp_path):
    for name in ("test", "train", "other"):
        (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match=r"'val', found train, test; correct `evaluate\.splits`"):
        read_split(tmp_path, "val")


@pytest.mark.parametrize(
    ("path", "array"),
    [
        ("images-000.npy", None),
        ("labels-000.npy", np.zeros(1, np.int64)),
        ("images-000.npy", np.zeros((2, 2, 2), np.float32)),
        ("images-000.npy", np.zeros((2, 4), np.uint8)),
        ("images-001.npy", np.zeros((1, 2, 2), np.uint8)),
        ("images-000.npy", -1),  # the last byte is missing
        ("images-000.npy", b"no array"),
        ("images-000.npy", b"\x93NUMPY\x01\x00"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(tmp_path, path, array):
    write_split(tmp_path, "val", [2])
    target = tmp_path / "val" / path
    if array is None:
        target.unlink()
    elif isinstance(array, bytes):
        target.write_bytes(array)
    elif isinstance(array, int):
        target.write_bytes(target.read_bytes()[:array])
    else:
        np.save(target, array)
    with pytest.raises(DatasetError, match=one_line(str(tmp_path / "val"), "preprocess")):
        read_split(tmp_path, "val")


@given(st.lists(st.integers(0, 99), max_size=40, unique=True), st.integers(1, 6), st.integers(0, 9))
def test_a_choice_is_of_these_rows_in_order_and_seeded(rows, number, seed):
    chosen = choose(np.array(rows, int), number, [seed, 1]).tolist()
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(rows)
    assert len(chosen) == min(number, len(rows))
    assert chosen == choose(np.array(rows, int), number, [seed, 1]).tolist()


def test_another_seed_is_another_choice():
    assert choose(np.arange(1000), 10, 0).tolist() != choose(np.arange(1000), 10, 1).tolist()


@pytest.fixture
def saliency() -> Saliency:
    maps = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    return Saliency(np.array([5, 1, 7]), maps)


def test_saliency_maps_are_read_as_written_and_no_byte_holds_the_time(
    saliency, tmp_path, monkeypatch
):
    write_saliency(tmp_path / "now.npz", saliency)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_saliency(tmp_path / "later.npz", saliency)
    assert (tmp_path / "now.npz").read_bytes() == (tmp_path / "later.npz").read_bytes()
    for name, array in vars(read_saliency(tmp_path / "now.npz")).items():
        np.testing.assert_array_equal(array, getattr(saliency, name), strict=True)


@pytest.mark.parametrize("damage", ["missing", "words", "cut", "other"])
def test_a_damaged_file_of_saliency_maps_is_refused_in_one_line(saliency, tmp_path, damage):
    path = tmp_path / "saliency.npz"
    write_saliency(path, saliency)
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        np.savez(path, rows=saliency.rows)
    else:
        path.write_bytes(b"words" if damage == "words" else path.read_bytes()[:-100])
    with pytest.raises(
        DatasetError, match=one_line("saliency.npz: ", "run the evaluate stage again")
    ):
        read_saliency(path)
