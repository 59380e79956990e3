from __future__ import annotations

import csv
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from facial_expression.core.arrays import read_split, splits_in
from facial_expression.core.errors import (
    ArchiveError,
    DatasetError,
    ImageError,
    ParameterError,
    PipelineError,
    run,
)
from facial_expression.core.files import write_csv
from facial_expression.core.labels import read_classes
from facial_expression.pictures.images import decode, square
from facial_expression.preprocess import shards
from stages import preprocess
from tests.helpers import make_archive, picture, tiny_pictures

HEADER = ("path", "class", "split", "dropped_because", "leak_free")
SPLIT = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}


def write_index(path: Path, names: Sequence[str], dropped: Sequence[str] = ()) -> Path:
    """The columns of index.csv that the stage reads, for FER2013's names."""
    rows = [
        (
            name,
            name.split("/")[1],
            SPLIT[name.split("/")[2].partition("_")[0]],
            "also in val" if name in dropped else "",
            int("Training" in name),
        )
        for name in names
    ]
    write_csv(path, HEADER, rows)
    return path


def arguments(images: Path, out: Path, workers: int = 1, **changed: Any) -> list[str]:
    params = images.parent / "params.yaml"
    YAML(typ="safe").dump({"preprocess": {"side": 48, "shard_size": 4} | changed}, params)
    argv = ["--params", params, "--images", images, "--index", images.parent / "index.csv"]
    return [str(part) for part in [*argv, "--out", out, "--workers", workers]]


@pytest.fixture
def images(tiny_archive: Path) -> Path:
    """The tiny archive with an index beside it that drops one training picture."""
    write_index(
        tiny_archive.parent / "index.csv", sorted(tiny_pictures()), ["train/happy/Training_2.jpg"]
    )
    return tiny_archive


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_files_are_those_of_the_contract(images: Path, tmp_path: Path) -> None:
    preprocess.main(arguments(images, tmp_path / "arrays"))
    assert sorted(contents(tmp_path / "arrays")) == sorted(
        ["classes.json"]
        + [f"{split}/rows.csv" for split in ("train", "val", "test")]
        + [f"train/{kind}-00{i}.npy" for kind in ("images", "labels") for i in range(5)]
        + [
            f"{s}/{k}-00{i}.npy"
            for s in ("val", "test")
            for k in ("images", "labels")
            for i in "01"
        ]
    )
    assert splits_in(tmp_path / "arrays") == ["train", "val", "test"]


@pytest.mark.parametrize("side", [48, 8, 31, 64])
def test_arrays_are_what_a_plain_loop_over_the_files_gives(
    images: Path, tmp_path: Path, side: int
) -> None:
    preprocess.main(arguments(images, tmp_path / "arrays", side=side))
    pictures = tiny_pictures()
    classes = read_classes(tmp_path / "arrays" / "classes.json")
    assert classes == ["angry", "happy", "sad"]
    seen = 0
    for name in splits_in(tmp_path / "arrays"):
        split = read_split(tmp_path / "arrays", name)
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int64)
        assert split.images.shape == (len(split), side, side)
        for image, label, path in zip(split.images, split.labels, split.paths, strict=True):
            np.testing.assert_array_equal(image, square(decode(pictures[path]), side))
            assert f"/{classes[label]}/" in path
            assert SPLIT[path.split("/")[2].partition("_")[0]] == name
            seen += 1
        assert split.leak_free.tolist() == [name == "train"] * len(split)
    assert seen == len(pictures) - 1, "the dropped one is not there"


def test_rows_lead_back_to_the_index(images: Path, tmp_path: Path) -> None:
    preprocess.main(arguments(images, tmp_path / "arrays"))
    names = sorted(tiny_pictures())
    with (tmp_path / "arrays" / "train" / "rows.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(names[int(row["row"])] == row["path"] for row in rows)
    assert "train/happy/Training_2.jpg" not in {row["path"] for row in rows}


@pytest.mark.parametrize("shard_size", [1, 4, 1000])
def test_equal_bytes_for_any_number_of_workers(
    images: Path, tmp_path: Path, shard_size: int
) -> None:
    for workers in (1, 2, 3):
        out = tmp_path / str(workers)
        preprocess.main(arguments(images, out, workers, shard_size=shard_size))
    first = contents(tmp_path / "1")
    assert contents(tmp_path / "2") == contents(tmp_path / "3") == first
    assert sum(name.startswith("train/images") for name in first) == -(-17 // shard_size)


def test_votes_become_soft_targets(images: Path, tmp_path: Path) -> None:
    """Shares of the votes by class in label order; the arrays are the same beside them."""
    plain, soft = tmp_path / "plain", tmp_path / "soft"
    preprocess.main(arguments(images, plain))
    index = images.parent / "index.csv"
    rows = list(csv.DictReader(index.read_text(encoding="utf-8").splitlines()))
    others = {"angry": "sad", "happy": "angry", "sad": "happy"}
    voted = [(*row.values(), f"{row['class']}:6 {others[row['class']]}:3") for row in rows]
    write_csv(index, (*HEADER, "votes"), voted)
    preprocess.main(arguments(images, soft))
    expected = np.array([[6, 0, 3], [3, 6, 0], [0, 3, 6]]) / 9
    for name in splits_in(soft):
        split = read_split(soft, name)
        assert split.targets is not None
        assert split.targets.dtype == np.float32
        np.testing.assert_allclose(split.targets, expected[split.labels], rtol=1e-6)
        assert (soft / name / "targets-000.npy").exists()
    rest = {k: v for k, v in contents(soft).items() if "targets-" not in k}
    assert rest == contents(plain)


def test_the_size_of_shards_does_not_change_what_is_read(images: Path, tmp_path: Path) -> None:
    for size in (3, 7, 1000):
        preprocess.main(arguments(images, tmp_path / str(size), shard_size=size))
    one, *others = (read_split(tmp_path / size, "train") for size in ("3", "7", "1000"))
    for other in others:
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.paths == other.paths


def test_a_second_run_replaces_the_first(images: Path, tmp_path: Path) -> None:
    preprocess.main(arguments(images, tmp_path / "arrays", shard_size=2))
    preprocess.main(arguments(images, tmp_path / "arrays", shard_size=1000))
    preprocess.main(arguments(images, tmp_path / "fresh", shard_size=1000))
    assert contents(tmp_path / "arrays") == contents(tmp_path / "fresh")


def refused(images: Path, out: Path, kind: type[PipelineError], **changed: Any) -> str:
    """The message of a failure that leaves nothing behind."""
    before = sorted(out.parent.iterdir())
    with pytest.raises(kind) as caught:
        preprocess.main(arguments(images, out, 2, **changed))
    assert not out.exists()
    assert [path for path in sorted(out.parent.iterdir()) if path.name != "params.yaml"] == [
        path for path in before if path.name != "params.yaml"
    ]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_picture_that_is_not_the_indexed_one_is_named(images: Path, tmp_path: Path) -> None:
    pictures = tiny_pictures() | {"train/sad/Training_3.png": picture(1)[:300]}
    make_archive(images, pictures)
    message = refused(images, tmp_path / "arrays", ImageError)
    assert f"{images}: train/sad/Training_3.png: " in message
    assert "index stage again" in message


def test_a_picture_that_the_archive_lacks_is_named(images: Path, tmp_path: Path) -> None:
    pictures = tiny_pictures()
    del pictures["test/sad/PublicTest_1.png"]
    make_archive(images, pictures)
    message = refused(images, tmp_path / "arrays", ArchiveError)
    assert "'test/sad/PublicTest_1.png'" in message


def test_an_archive_cut_short(images: Path, tmp_path: Path) -> None:
    images.write_bytes(images.read_bytes()[:-500])
    assert str(images) in refused(images, tmp_path / "arrays", ArchiveError)


def test_an_index_that_trains_on_nothing(images: Path, tmp_path: Path) -> None:
    names = sorted(tiny_pictures())
    write_index(images.parent / "index.csv", names, [n for n in names if n.startswith("train")])
    message = refused(images, tmp_path / "arrays", DatasetError)
    assert str(images.parent / "index.csv") in message


def test_a_missing_index_is_one_line(images: Path, tmp_path: Path) -> None:
    (images.parent / "index.csv").unlink()
    with pytest.raises(SystemExit, match=r"index\.csv: no such file; run the stage"):
        run(lambda: preprocess.main(arguments(images, tmp_path / "arrays")))


@pytest.mark.parametrize(
    ("changed", "found"),
    [({"side": 4}, "found 4"), ({"side": "48"}, "found '48'"), ({"shard_size": 0}, "found 0")],
)
def test_a_wrong_parameter_is_named(
    images: Path, tmp_path: Path, changed: dict[str, Any], found: str
) -> None:
    (name,) = changed
    message = refused(images, tmp_path / "arrays", ParameterError, **changed)
    assert f"'preprocess.{name}'" in message
    assert found in message


def test_a_full_disk_in_a_worker_is_one_line_and_leaves_the_old_arrays(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocess.main(arguments(images, tmp_path / "arrays"))
    old = contents(tmp_path / "arrays")
    monkeypatch.setattr(shards, "write_shard", write_to_a_full_disk)
    with pytest.raises(SystemExit) as caught:
        run(lambda: preprocess.main(arguments(images, tmp_path / "arrays", 2)))
    assert str(caught.value.code) == (
        "error: images-000.npy: no space left on the device; free some and run the command again"
    )
    assert contents(tmp_path / "arrays") == old
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def write_to_a_full_disk(images: Path, out: Path, side: int, shard: shards.Shard) -> int:
    """Stands for `write_shard` in the workers: some bytes arrive, then the disk is full."""
    (out / shard.split / "images-000.npy").write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "images-000.npy")
