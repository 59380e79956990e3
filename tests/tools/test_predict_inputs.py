import os
from pathlib import Path

import pytest

from facial_expression.core.errors import ImageError
from facial_expression.pictures.images import FORMATS
from tests.helpers import picture
from tools.predict.inputs import counted, expand, read_file


@pytest.fixture
def album(tmp_path, monkeypatch) -> Path:
    """A folder with pictures, other files and hidden ones; the current folder is its parent."""
    for name in ("b.png", "a/2.JPG", "a/10.jpg", "c/deep/er.png", ".hidden.png", ".thumbs/x.png"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "album" / name).write_bytes(picture(0))
    (tmp_path / "album/notes.txt").write_bytes(b"no picture")
    (tmp_path / "album/clip.avi").write_bytes(b"RIFF\x10\0\0\0AVI LIST")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "album"


WALKED = ["album/a/10.jpg", "album/a/2.JPG", "album/b.png", "album/c/deep/er.png"]


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("album", WALKED),
        ("album/*", [*WALKED[:3], "album/c/deep/er.png", "album/clip.avi"]),
        ("album/**/*", [*WALKED, "album/clip.avi"]),
        ("album/*.tiff", ["album/*.tiff"]),
        ("album/.*.png", ["album/.hidden.png"]),
        ("album/b[1].png", ["album/b[1].png"]),
        ("missing.png", ["missing.png"]),
        (f"{'a' * 300}.mp4", [f"{'a' * 300}.mp4"]),  # no file system allows this name
    ],
)
def test_folders_and_patterns_give_pictures_and_names_stay(album, argument, found):
    assert sorted(expand([argument]).paths) == sorted(found)
    (album / "b[1].png").write_bytes(picture(1))
    assert expand(["album/b[1].png", "-", "album/b.png", "album/b.png"]).paths == [
        "album/b[1].png", "-", "album/b.png", "album/b.png"
    ]  # fmt: skip


def test_a_folder_is_read_in_the_order_of_names_without_loops_pipes_and_drawings(album):
    (album / "c" / "loop").symlink_to(album, target_is_directory=True)
    assert sorted(expand(["album/**/*.*"]).paths) == sorted([*WALKED, "album/clip.avi"])
    assert expand(["album/**/*.*"]).passed_over["album/c/loop"].startswith("linked")
    os.mkfifo(album / "pipe.png")
    assert expand(["album"]).paths == WALKED
    assert expand(["album/*.png"]).paths == ["album/b.png"]
    assert expand(["album/pipe.png"]).paths == ["album/pipe.png"]  # named, like a shell's <(...)
    drawings = (album / "c").resolve()
    assert expand(["album"], drawings).paths == WALKED[:3]
    assert "album/c/deep/er.png" not in expand(["album/*"], drawings).paths


def test_pictures_are_found_by_content_and_the_rest_is_counted_by_kind(album, monkeypatch):
    monkeypatch.setattr(
        "tools.predict.inputs.FORMATS", [kind for kind in FORMATS if kind != "HEIF"]
    )
    for number, kind in enumerate(("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "AVIF")):
        (album / f"from a phone {number}").write_bytes(picture(number, kind=kind))
    (album / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (album / "more.txt").write_bytes(b"BMW, P5, MM and GIF are four words")
    (album / "torn.jpg").write_bytes(b"not a picture")
    (album / "z").symlink_to(album / "c", target_is_directory=True)
    found = expand(["album"])
    phone = [f"album/from a phone {number}" for number in range(8)]
    assert found.paths == [*WALKED, *phone, "album/torn.jpg"]
    assert [read_file(path).upright.size for path in phone] == [(48, 48)] * 8
    assert counted(found.passed_over) == (
        "5 files passed over: 1 .avi (name videos, or use a pattern), "
        "1 .heic (install the extra heic), 1 linked (name the folder itself), "
        "2 not pictures, e.g. album/more.txt"
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.png", "no such file or folder"),
        ("missing/*.png", "no picture or video matches"),
        ("album/notes.txt", "not a picture of a known format"),
        ("long.png", "larger than 2 MiB"),
    ],
)
def test_an_unreadable_file_says_why(album, path, reason, monkeypatch):
    monkeypatch.setattr("facial_expression.inference.sources.MAX_BYTES", 2 * 2**20)
    Path("long.png").write_bytes(bytes(2 * 2**20 + 1))
    (path,) = expand([path]).paths
    with pytest.raises(ImageError, match=reason):
        read_file(path)
