from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facial_expression.core.errors import ArchiveError, SourceError
from facial_expression.fetch import download
from facial_expression.fetch.sources import Source, parse, write_archive
from facial_expression.fetch.unpack import Limits
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


def unpacked(handle: str, folder: Path) -> Path:
    """A Kaggle that unpacks `tiny_pictures()` under a wrapping folder."""
    for name, content in tiny_pictures().items():
        path = folder / "files" / "wrap" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "files"


def test_a_download_is_normalised_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "from_kaggle", unpacked)
    out, downloads = tmp_path / "images.zip", tmp_path / ".download"
    write_archive(parse("kaggle:a/b"), out, downloads, LIMITS)
    expected = make_archive(tmp_path / "expected.zip", tiny_pictures())
    assert out.read_bytes() == expected.read_bytes()
    assert not downloads.exists()
    with pytest.raises(ArchiveError, match=r"^kaggle:a/b: expected at most 3 files"):
        write_archive(parse("kaggle:a/b"), out, downloads, Limits(1 << 30, 3))
    assert not downloads.exists()


@pytest.mark.parametrize("kept", [True, False])
def test_only_a_download_that_can_go_on_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    seen: list[Path] = []

    def stop(file_id: str, folder: Path) -> Path:
        seen.append(folder)
        if kept:
            (folder / "partXYZ.part").write_bytes(b"half")
        raise download.Interrupted("stopped")

    downloads = tmp_path / ".download"
    monkeypatch.setattr(download, "from_drive", stop)
    for address in ("abc", "other", "abc"):
        with pytest.raises(SourceError):
            write_archive(parse(f"gdrive:{address}"), tmp_path / "o.zip", downloads, LIMITS)
    assert seen[0] == seen[2] != seen[1]
    assert downloads.exists() == kept


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
