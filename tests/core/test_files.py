from __future__ import annotations

import errno
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core import files


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_atomic_makes_parents_and_a_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    with files.atomic(path) as temporary:
        assert temporary.parent == path.parent, "a rename is atomic on one file system only"
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert listing(tmp_path) == ["a", "a/b.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_atomic_leaves_the_old_file_and_nothing_else_on_failure(
    tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "old.txt").write_text("old")
    for name in ("old.txt", "new.txt"):
        with pytest.raises(error):  # noqa: PT012, SIM117
            with files.atomic(tmp_path / name) as temporary:
                temporary.write_text("half")
                raise error
    assert listing(tmp_path) == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_atomic_folder_replaces_the_whole_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with files.atomic_folder(tmp_path / "out") as folder:
            (folder / name).write_text(name)
    assert listing(tmp_path) == ["out", "out/two"]
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_atomic_folder_leaves_the_old_folder_and_nothing_else_on_failure(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    for name in ("out", "other"):
        with pytest.raises(RuntimeError):  # noqa: PT012, SIM117
            with files.atomic_folder(tmp_path / name) as folder:
                (folder / "half").write_text("half")
                raise RuntimeError
    assert listing(tmp_path) == ["out", "out/old"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_json_refuses_what_is_no_number_and_writes_nothing(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "metrics.json", {"a": [value]})
    assert listing(tmp_path) == []


def test_json_has_the_given_order_fixed_precision_and_unix_line_ends(tmp_path: Path) -> None:
    value = {"b": 1 / 3, "a": [np.float64(2 / 3), -1e-9, 1, None, "é"], "t": (True,)}
    files.write_json(tmp_path / "a.json", value)
    assert (tmp_path / "a.json").read_bytes() == (
        '{\n  "b": 0.333333,\n  "a": [\n    0.666667,\n    0.0,\n    1,\n    null,\n    "é"\n  ],\n'
        '  "t": [\n    true\n  ]\n}\n'
    ).encode()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_json_without_floats_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.json"
    files.write_json(path, value)
    assert json.loads(path.read_text(encoding="utf-8")) == value


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write fails once some bytes are on the disk, as a real one does."""

    def full(self: Path, text: str, **_: str) -> int:
        self.write_bytes(text[:3].encode())
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    (tmp_path / "metrics.json").write_text("old")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(tmp_path / "metrics.json", {"a": 1})
    assert (tmp_path / "metrics.json").read_bytes() == b"old"
    assert listing(tmp_path) == ["metrics.json"]


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(3_000_000)
    (tmp_path / "x").write_bytes(data)
    assert files.sha256_of(tmp_path / "x") == hashlib.sha256(data).hexdigest()
