from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from facial_expression.core.errors import ImageError
from facial_expression.inference.sources import Source, expand, read_file, sources
from tests.helpers import picture


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures, other files and hidden ones; the current folder is its parent."""
    for name in ("b.png", "a/2.JPG", "a/10.jpg", "c/deep/er.png", ".hidden.png", ".thumbs/x.png"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "album" / name).write_bytes(picture(0))
    for name in ("notes.txt", "clip.avi"):
        (tmp_path / "album" / name).write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "album"


WALKED = ["album/a/10.jpg", "album/a/2.JPG", "album/b.png", "album/c/deep/er.png"]


def test_a_folder_gives_its_pictures_in_the_order_of_names(album: Path):
    assert list(expand(["album"])) == WALKED


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("album/*", [*WALKED, "album/clip.avi"]),
        ("album/*.*", ["album/b.png", "album/clip.avi"]),
        ("album/**/*", [*WALKED[:3], "album/c/deep/er.png", "album/clip.avi"]),
        ("album/?/*.jpg", ["album/a/10.jpg"]),
        ("album/*.tiff", ["album/*.tiff"]),
        ("album/.*.png", ["album/.hidden.png"]),
    ],
)
def test_a_pattern_gives_the_pictures_and_videos_that_it_matches(
    album: Path, pattern: str, found: list[str]
):
    assert sorted(expand([pattern])) == sorted(found)


def test_names_are_passed_on_as_they_are_twice_if_twice(album: Path):
    named = ["album/notes.txt", "-", "album/b.png", "album/b.png", "missing.png"]
    assert list(expand(named)) == named


def test_a_name_with_brackets_is_that_file(album: Path):
    (album / "b[1].png").write_bytes(picture(1))
    assert list(expand(["album/b[1].png"])) == ["album/b[1].png"]


def test_a_folder_that_leads_back_to_itself_ends(album: Path):
    (album / "c" / "loop").symlink_to(album, target_is_directory=True)
    assert list(expand(["album"])) == WALKED


def test_the_folder_of_the_drawings_is_left_out(album: Path):
    left_out = (album / "c").resolve()
    assert list(expand(["album"], left_out)) == WALKED[:3]
    assert "album/c/deep/er.png" not in list(expand(["album/*"], left_out))


def no_frames(path: str) -> Iterator[Source]:
    raise AssertionError(path)


def test_standard_input_is_one_picture(album: Path):
    stream = io.BytesIO(picture(3))
    found = list(sources(["-", "album/b.png", "-"], lambda: stream, no_frames))
    assert [each.path for each in found] == ["-", "album/b.png", "-"]
    assert found[0].read().upright.size == (48, 48)
    with pytest.raises(ImageError, match="empty"):
        found[2].read()


def test_frames_of_a_video_take_its_place(album: Path):
    def two(path: str) -> Iterator[Source]:
        yield from (Source(path, number, lambda: read_file("album/b.png")) for number in (0, 5))

    found = list(sources(["album/b.png", "album/clip.avi"], io.BytesIO, two))
    assert [(each.path, each.frame) for each in found] == [
        ("album/b.png", None),
        ("album/clip.avi", 0),
        ("album/clip.avi", 5),
    ]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.png", "no such file or folder"),
        ("missing/*.png", "no file matches"),
        ("album/notes.txt", "not a picture of a known format"),
        ("nothing", r"no picture \(\.bmp, "),
        ("long.png", "longer than 2 MiB"),
    ],
)
def test_what_cannot_be_read_says_why(
    album: Path, path: str, reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("facial_expression.inference.sources.MAX_BYTES", 2 * 2**20)
    Path("nothing").mkdir()
    Path("long.png").write_bytes(bytes(2 * 2**20 + 1))
    (path,) = expand([path])
    with pytest.raises(ImageError, match=reason):
        read_file(path)


def test_a_pipe_in_a_folder_is_not_waited_for(album: Path):
    os.mkfifo(album / "pipe.png")
    assert list(expand(["album"])) == WALKED
    assert list(expand(["album/*.png"])) == ["album/b.png"]
    assert list(expand(["album/pipe.png"])) == ["album/pipe.png"]  # named, as a shell's <(...) is


def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are_read(
    album: Path, monkeypatch: pytest.MonkeyPatch
):
    listed = Path.iterdir

    def refuse(folder: Path) -> Iterator[Path]:
        if folder.name == "c":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert list(expand(["album"])) == [*WALKED[:3], "album/c"]
    with pytest.raises(PermissionError):
        read_file("album/c")


def test_a_name_that_no_file_can_have_is_passed_on():
    name = f"{'a' * 300}.mp4"
    assert list(expand([name])) == [name]
    (found,) = sources([name], io.BytesIO, no_frames)
    with pytest.raises(OSError, match="too long"):
        found.read()
