import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from facial_expression.core.arrays import SPLITS, read_split
from facial_expression.core.errors import (
    ArchiveError,
    DatasetError,
    ImageError,
    ParameterError,
    PipelineError,
    run,
)
from facial_expression.core.labels import read_classes
from facial_expression.core.tables import read_table, write_table
from facial_expression.pictures.images import decode, square
from facial_expression.preprocess import shards
from stages import preprocess
from tests.helpers import make_archive, picture, tiny_pictures

SPLIT = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
NAMES = sorted(tiny_pictures())
DROPPED = "train/happy/Training_2.jpg"


def write_index(path: Path, dropped: Sequence[str], **columns: Any) -> None:
    """The columns of index.csv that the stage reads, for the tiny set."""
    table = pd.DataFrame({"path": NAMES})
    table["class"] = table["path"].str.split("/").str[1]
    table["split"] = table["path"].str.extract(r"/(\w+)_")[0].map(SPLIT)
    table["dropped_because"] = np.where(table["path"].isin(dropped), "also in val", "")
    table["leak_free"] = (table["split"] == "train").astype(int)
    write_table(path, table.assign(**columns))


def arguments(images: Path, out: Path, workers: int = 1, **changed: Any) -> list[str]:
    params = images.parent / "params.yaml"
    values = {"preprocess": {"side": 48, "shard_size": 4} | changed}
    params.write_text(yaml.safe_dump(values), encoding="utf-8")
    argv = ["--params", params, "--images", images, "--index", images.parent / "index.csv"]
    return [str(part) for part in [*argv, "--out", out, "--workers", workers]]


@pytest.fixture
def images(tiny_archive: Path) -> Path:
    """The tiny archive with an index beside it that drops one training picture."""
    write_index(tiny_archive.parent / "index.csv", [DROPPED])
    return tiny_archive


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("side", [48, 8, 31, 64])
def test_arrays_are_what_a_plain_loop_over_the_files_makes(images, tmp_path, side):
    preprocess.main(arguments(images, tmp_path / "arrays", side=side))
    assert set(contents(tmp_path / "arrays")) == {
        "classes.json",
        *(f"{split}/rows.csv" for split in SPLITS),
        *(f"train/{kind}-00{i}.npy" for kind in ("images", "labels") for i in range(5)),
        *(
            f"{s}/{kind}-00{i}.npy"
            for s in ("val", "test")
            for kind in ("images", "labels")
            for i in "01"
        ),
    }
    pictures = tiny_pictures()
    classes = read_classes(tmp_path / "arrays" / "classes.json")
    assert classes == ["angry", "happy", "sad"]
    seen = 0
    for name in SPLITS:
        split = read_split(tmp_path / "arrays", name)
        assert split.images.shape == (len(split), side, side)
        for image, label, path in zip(
            np.asarray(split.images), split.labels, split.paths, strict=True
        ):
            np.testing.assert_array_equal(image, square(decode(pictures[path]), side))
            assert path.split("/")[1] == classes[label]
            assert SPLIT[path.split("/")[2].partition("_")[0]] == name
            assert path != DROPPED
            seen += 1
        assert (split.leak_free == (name == "train")).all()
        rows = read_table(tmp_path / "arrays" / name / "rows.csv", {"row": int})
        assert [NAMES[row] for row in rows["row"]] == split.paths
    assert seen == len(pictures) - 1


@pytest.mark.parametrize("shard_size", [3, 1000])
def test_equal_bytes_for_any_number_of_workers_and_equal_arrays_for_any_size_of_shards(
    images, tmp_path, shard_size
):
    for workers in (1, 3):
        preprocess.main(arguments(images, tmp_path / str(workers), workers, shard_size=shard_size))
    first = contents(tmp_path / "1")
    assert contents(tmp_path / "3") == first
    assert sum(name.startswith("train/images") for name in first) == -(-17 // shard_size)
    preprocess.main(arguments(images, tmp_path / "1", shard_size=7))  # replaces what was there
    assert len(contents(tmp_path / "1")) == 4 + 2 * (3 + 1 + 1)
    one, two = (read_split(tmp_path / folder, "train") for folder in ("1", "3"))
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.paths == two.paths


def test_votes_become_soft_targets(images, tmp_path):
    """Shares of the votes by class in label order; the other files are the same."""
    plain, soft = tmp_path / "plain", tmp_path / "soft"
    preprocess.main(arguments(images, plain))
    others = {"angry": "sad", "happy": "angry", "sad": "happy"}
    names = [path.split("/")[1] for path in NAMES]
    votes = [f"{name}:6 {others[name]}:3" for name in names]
    write_index(images.parent / "index.csv", [DROPPED], votes=votes)
    preprocess.main(arguments(images, soft))
    expected = np.array([[6, 0, 3], [3, 6, 0], [0, 3, 6]]) / 9
    for name in SPLITS:
        split = read_split(soft, name)
        assert split.targets is not None
        np.testing.assert_allclose(split.targets, expected[split.labels], rtol=1e-6)
    rest = {name: data for name, data in contents(soft).items() if "targets-" not in name}
    assert rest == contents(plain)


def refused(images: Path, out: Path, kind: type[PipelineError], **changed: Any) -> str:
    """The message of a failure that leaves nothing behind."""
    argv = arguments(images, out, 2, **changed)
    before = sorted(out.parent.iterdir())
    with pytest.raises(kind) as caught:
        preprocess.main(argv)
    assert sorted(out.parent.iterdir()) == before
    return str(caught.value)


def test_another_archive_than_the_indexed_one_is_refused(images, tmp_path):
    make_archive(images, tiny_pictures() | {"train/sad/Training_3.png": picture(1)[:300]})
    message = refused(images, tmp_path / "arrays", ImageError)
    assert f"{images}: train/sad/Training_3.png: " in message
    assert "index stage again" in message
    pictures = tiny_pictures()
    del pictures["test/sad/PublicTest_1.png"]
    make_archive(images, pictures)
    message = refused(images, tmp_path / "arrays", ArchiveError)
    assert "'test/sad/PublicTest_1.png'" in message
    images.write_bytes(images.read_bytes()[:-500])
    assert str(images) in refused(images, tmp_path / "arrays", ArchiveError)


def test_an_index_that_is_missing_or_trains_on_nothing_is_refused(images, tmp_path):
    index = images.parent / "index.csv"
    write_index(index, [name for name in NAMES if name.startswith("train")])
    said = refused(images, tmp_path / "arrays", DatasetError)
    assert said.startswith(f"{index}: expected rows of train, val and test")
    index.unlink()
    said = refused(images, tmp_path / "arrays", DatasetError)
    assert said == f"{index}: no such table; run the index stage again"


@pytest.mark.parametrize("name", ["data", "data/..", "", "."])
def test_a_folder_that_holds_something_else_is_refused_and_kept(
    images, tmp_path, monkeypatch, name
):
    own = tmp_path / "data/source/train/happy/1.jpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"a picture")
    monkeypatch.chdir(tmp_path / "data")
    argv = arguments(images, Path(tmp_path, name) if name.startswith("d") else Path(name))
    with pytest.raises(PipelineError, match="expected a folder for the arrays alone"):
        preprocess.main(argv)
    assert own.read_bytes() == b"a picture"


@pytest.mark.parametrize(
    ("changed", "found"),
    [({"side": 4}, "found 4"), ({"side": "48"}, "found '48'"), ({"shard_size": 0}, "found 0")],
)
def test_a_wrong_parameter_is_named(images, tmp_path, changed, found):
    (name,) = changed
    message = refused(images, tmp_path / "arrays", ParameterError, **changed)
    assert f"'preprocess.{name}'" in message
    assert found in message


def test_a_full_disk_in_a_worker_is_one_line_and_leaves_the_old_arrays(
    images, tmp_path, monkeypatch
):
    preprocess.main(arguments(images, tmp_path / "arrays"))
    old = contents(tmp_path / "arrays")
    monkeypatch.setattr(shards, "write_pictures", write_to_a_full_disk)
    with pytest.raises(SystemExit) as caught:
        run(lambda: preprocess.main(arguments(images, tmp_path / "arrays", 2)))
    assert str(caught.value.code) == (
        "error: images-000.npy: no space left on the device; free some and run the command again"
    )
    assert contents(tmp_path / "arrays") == old
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def write_to_a_full_disk(images: Path, side: int, shard: tuple[Path, Any]) -> int:
    """Stands for `write_pictures` in the workers: some bytes arrive, then the disk is full."""
    shard[0].write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "images-000.npy")
