from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from facial_expression.core.files import sha256_of
from facial_expression.core.zips import write_zip

MEMBERS = [("test/a/y.jpg", [b""]), ("train/é/x.PNG", [b"1" * 30, b"1" * 40])]


def test_the_bytes_are_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pin of a data set breaks when the format changes: it must never change unnoticed."""
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert write_zip(tmp_path / "a.zip", iter(MEMBERS)) == 2
    pin = "91052cb8e02201f04620e65c7158376dd2c2e9a9c21e7ae9759ea1c5e54b483a"
    assert sha256_of(tmp_path / "a.zip") == pin


def test_permissions_are_those_asked_for(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", MEMBERS, permissions=0o600)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o600}
        assert archive.read("train/é/x.PNG") == b"1" * 70
