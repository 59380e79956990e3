from __future__ import annotations

import shutil
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from facial_expression.core.errors import ArchiveError, SourceError
from facial_expression.fetch import download, sources
from facial_expression.fetch.sources import Source, parse
from facial_expression.fetch.unpack import Limits
from facial_expression.pictures import archive
from tests.helpers import make_archive, tiny_pictures

LIMITS = Limits(1 << 30, 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sample", Source("sample", "sample")),
        ("data/source/folder", Source("local", "data/source/folder")),
        ("./sample", Source("local", "./sample")),
        ("C:\\faces\\set.zip", Source("local", "C:\\faces\\set.zip")),
        ("kaggle:msambare/fer2013", Source("kaggle", "msambare/fer2013")),
        ("kaggle:a/b/versions/12", Source("kaggle", "a/b/versions/12")),
        ("gdrive:134M73bJ_x-Z", Source("gdrive", "134M73bJ_x-Z")),
        ("https://host/a.zip", Source("url", "https://host/a.zip")),
        ("s3://bucket/a.zip", Source("url", "s3://bucket/a.zip")),
        ("simplecache::gs://b/a.zip", Source("url", "simplecache::gs://b/a.zip")),
    ],
)
def test_parse(text: str, expected: Source) -> None:
    assert parse(text) == expected
    assert parse(text).is_remote == (expected.kind not in ("sample", "local"))


@pytest.mark.parametrize(
    "text", ["", " ", "kaggle:", "kaggle:fer2013", "kaggle:a/b/c", "gdrive:", "gdrive:../x"]
)
def test_what_names_no_source_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="expected `sample`; a path"):
        parse(text)


def test_the_record_holds_no_secret_and_no_folder_of_this_machine(tmp_path: Path) -> None:
    assert parse(str(tmp_path / "set.zip")).record == "set.zip"
    assert parse("data/source/folder").record == "data/source/folder"
    assert parse("kaggle:a/b").record == "kaggle:a/b"
    assert parse("https://me:secret@host/a.zip?key=secret").record == "https://host/a.zip"


def test_the_sample_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = types.ModuleType("sample")
    drawn.draw = lambda: list(reversed(tiny_pictures().items()))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "facial_expression.sample.dataset", drawn)
    monkeypatch.setattr("facial_expression.sample.dataset", drawn, raising=False)
    out = tmp_path / "images.zip"
    assert sources.write_archive(parse("sample"), out, tmp_path / "none", LIMITS) == 30
    assert dict(archive.read_members(out, archive.members(out).items())) == tiny_pictures()


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Kaggle that unpacks `tiny_pictures()` under a wrapping folder."""

    def unpack(handle: str, folder: Path) -> Path:
        for name, content in tiny_pictures().items():
            path = folder / "files" / "wrap" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder / "files"

    monkeypatch.setattr(download, "from_kaggle", unpack)


@pytest.mark.usefixtures("kaggle")
def test_a_download_is_normalised_and_removed(tmp_path: Path) -> None:
    out, downloads = tmp_path / "images.zip", tmp_path / ".download"
    sources.write_archive(parse("kaggle:a/b"), out, downloads, LIMITS)
    expected = make_archive(tmp_path / "expected.zip", tiny_pictures())
    assert out.read_bytes() == expected.read_bytes()
    assert not downloads.exists()


@pytest.mark.usefixtures("kaggle")
def test_a_download_that_is_refused_is_removed(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"^kaggle:a/b: expected at most 3 files"):
        sources.write_archive(
            parse("kaggle:a/b"), tmp_path / "o.zip", tmp_path / ".download", Limits(1 << 30, 3)
        )
    assert not (tmp_path / ".download").exists()


@pytest.mark.parametrize("kept", [True, False])
def test_only_a_download_that_can_go_on_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    def stop(file_id: str, folder: Path) -> Path:
        if kept:
            (folder / "partXYZ.part").write_bytes(b"half")
        raise download.Interrupted("stopped")

    downloads = tmp_path / ".download"
    monkeypatch.setattr(download, "from_drive", stop)
    with pytest.raises(SourceError):
        sources.write_archive(parse("gdrive:abc"), tmp_path / "o.zip", downloads, LIMITS)
    assert downloads.exists() == kept


def test_downloads_of_different_sources_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def stop(address: str, folder: Path) -> Path:
        seen.append(folder)
        raise download.Interrupted("stopped")

    monkeypatch.setattr(download, "from_url", stop)
    for url in ("https://host/a.zip", "https://host/b.zip", "https://host/a.zip"):
        with pytest.raises(SourceError):
            sources.write_archive(parse(url), tmp_path / "o.zip", tmp_path / "d", LIMITS)
    assert seen[0] == seen[2] != seen[1]


def test_is_inside_follows_links(tmp_path: Path) -> None:
    watched, elsewhere = tmp_path / "watched", tmp_path / "elsewhere"
    watched.mkdir()
    elsewhere.mkdir()
    (watched / "link").symlink_to(elsewhere)

    def inside(path: Any) -> bool:
        return parse(str(path)).is_inside(watched)

    assert inside(watched)
    assert inside(watched / "set.zip")
    assert not inside(watched / "link" / "set.zip")
    assert not inside(watched / ".." / "elsewhere")
    shutil.rmtree(watched)
