from pathlib import Path

import pytest

from facial_expression.core.errors import ArchiveError, SourceError
from facial_expression.fetch import download
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.fetch.run import Source, parse, write_archive
from tests.helpers import make_archive, make_folder, tiny_pictures

LIMITS = FetchParameters("", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
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
def test_parse(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "kaggle:", "kaggle:fer2013", "kaggle:a/b/c", "gdrive:", "gdrive:../x"]
)
def test_what_names_no_source_is_refused(text):
    with pytest.raises(SourceError, match="expected a path"):
        parse(text)


def test_the_record_holds_no_secret_and_no_folder_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))  # as in a stage that DVC runs
    assert parse(str(tmp_path / "set.zip")).record == "set.zip"
    assert parse("data/source/folder/part-*.zip").record == "data/source/folder/part-*.zip"
    assert parse("data/source/folder").record == "data/source/folder"
    assert parse("kaggle:a/b").record == "kaggle:a/b"
    assert parse("https://me:secret@host/a.zip?key=secret").record == "https://host/a.zip"


def test_a_download_is_normalised_and_removed(tmp_path, monkeypatch):
    def unpacked(handle: str, folder: Path, max_bytes: int) -> Path:
        make_folder(folder / "files" / "wrap", tiny_pictures())
        return folder / "files"

    monkeypatch.setitem(download.RECEIVERS, "kaggle", unpacked)
    out = tmp_path / "out" / "images.zip"
    out.parent.mkdir()
    write_archive([parse("kaggle:a/b")], out, LIMITS)
    expected = make_archive(tmp_path / "expected.zip", tiny_pictures())
    assert out.read_bytes() == expected.read_bytes()
    with pytest.raises(ArchiveError, match=r"^kaggle:a/b: expected at most 3 files"):
        write_archive([parse("kaggle:a/b")], out, FetchParameters("", "", max_files=3))
    assert list(out.parent.iterdir()) == [out]
