import hashlib
import json
import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core import files
from facial_expression.core.errors import PipelineError


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_atomic_makes_parents_and_a_file_that_the_umask_allows(tmp_path, umask, mode):
    path = tmp_path / "a" / "b.txt"
    before = os.umask(umask)
    with files.atomic(path) as temporary:
        assert temporary.is_relative_to(path.parent), "a rename is atomic on one file system only"
        temporary.write_text("new")
        assert not path.exists()
    os.umask(before)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert listing(tmp_path) == ["a", "a/b.txt"]


def test_atomic_replaces_a_whole_folder(tmp_path):
    for name in ("one", "two"):
        with files.atomic(tmp_path / "out") as folder:
            folder.mkdir()
            (folder / name).write_text(name)
    assert listing(tmp_path) == ["out", "out/two"]
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_what_a_killed_run_left_is_removed_and_its_orphan_writes_nothing(tmp_path):
    (tmp_path / ".out.json").write_text("a file")
    (tmp_path / "out/.git").mkdir(parents=True)
    (tmp_path / "out/.model.keras.x.half").mkdir()
    with pytest.raises(FileNotFoundError), files.atomic(tmp_path / "out") as orphan:  # noqa: PT012
        orphan.mkdir()
        files.remove_leftovers(tmp_path / "out")
        files.write_text(tmp_path / "out" / "new", "new")
    assert listing(tmp_path) == [".out.json", "out", "out/.git", "out/new"]


def test_a_stage_that_outlived_its_dvc_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "STARTED", (os.getpid(), -1))
    files.write_text(tmp_path / "by hand", "written")
    monkeypatch.setenv("DVC_STAGE", "index")
    with pytest.raises(PipelineError, match="has ended; nothing is written"):
        files.write_text(tmp_path / "by dvc", "written")
    assert listing(tmp_path) == ["by hand"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_atomic_leaves_what_was_there_and_nothing_else_on_failure(tmp_path, error):
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    before = listing(tmp_path)
    for name in ("old.txt", "new.txt", "folder", "new"):
        with pytest.raises(error):  # noqa: PT012, SIM117
            with files.atomic(tmp_path / name) as temporary:
                if "." in name:
                    temporary.write_text("half")
                else:
                    temporary.mkdir()
                    (temporary / "half").write_text("half")
                raise error
    assert listing(tmp_path) == before
    assert (tmp_path / "old.txt").read_text() == "old"


@pytest.mark.parametrize("value", [float("nan"), -float("inf"), np.float64("nan")])
def test_json_refuses_nan_and_infinity_and_writes_nothing(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "metrics.json", {"a": [value]})
    assert listing(tmp_path) == []


def test_json_has_the_given_order_fixed_precision_and_unix_line_ends(tmp_path):
    value = {"b": 1 / 3, "a": [np.float64(2 / 3), -1e-9, 1, None, "é"], "t": (True,)}
    files.write_json(tmp_path / "a.json", value)
    assert (tmp_path / "a.json").read_bytes() == (
        '{\n  "b": 0.333333,\n  "a": [\n    0.666667,\n    0.0,\n    1,\n    null,\n    "é"\n  ],\n'
        '  "t": [\n    true\n  ]\n}\n'
    ).encode()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_json_without_floats_is_read_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "round.json"
    files.write_json(path, value)
    assert json.loads(path.read_text(encoding="utf-8")) == value


MEMBERS = [("test/a/y.jpg", b""), ("train/é/x.PNG", b"1" * 70)]


def test_the_bytes_of_a_zip_are_pinned(tmp_path, monkeypatch):
    """Every pin of a data set breaks when the format changes: it must never change unnoticed."""
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert files.write_zip(tmp_path / "a.zip", iter(MEMBERS)) == 2
    pin = "91052cb8e02201f04620e65c7158376dd2c2e9a9c21e7ae9759ea1c5e54b483a"
    assert files.sha256_of(tmp_path / "a.zip") == pin
    assert hashlib.sha256((tmp_path / "a.zip").read_bytes()).hexdigest() == pin


def test_the_permissions_in_a_zip_are_the_given_ones(tmp_path):
    files.write_zip(tmp_path / "a.zip", MEMBERS, permissions=0o600)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o600}
        assert archive.read("train/é/x.PNG") == b"1" * 70
