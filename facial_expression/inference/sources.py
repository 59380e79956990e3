"""What a person points at -> pictures to look at, one after the other, in a fixed order.

A picture is decoded only when it is looked at, so a list of any length takes little memory.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from facial_expression.dataset.images import Picture, decode
from facial_expression.errors import ImageError

PICTURES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
"""Suffixes of what is taken from a folder or by a pattern, in either case of letters."""

VIDEOS = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"))
"""Suffixes of what is read as a video, where it is named or matched by a pattern."""

MAX_BYTES = 256 * 2**20
"""A file that is longer is no picture that `decode` would take."""

STDIN = "-"


class Source(NamedTuple):
    """A picture that is still to be read.

    Attributes:
        path: what it is called, as the person wrote it; with a folder, the file below it.
        frame: its number in a video, from 0; None for a picture of its own.
        read: decodes it; raises ImageError or OSError.
    """

    path: str
    frame: int | None
    read: Callable[[], Picture]


Frames = Callable[[str], Iterator[Source]]
"""The frames of the video at a path."""


def expand(arguments: Iterable[str], left_out: Path | None = None) -> Iterator[str]:
    """The files that names of files, folders and patterns stand for, and what there is none of.

    Folders are walked in the order of their names; of them and of patterns only pictures count
    (of patterns videos as well), and nothing that is hidden.  A name that is neither is passed on:
    reading it says what is wrong.

    Args:
        arguments: of each `-`, a file, a folder, or a pattern with `*`, `?`, `[...]` and `**`.
        left_out: a folder that is not walked.
    """
    for argument in arguments:
        path = Path(argument)
        if argument == STDIN or path.is_file():
            yield argument
        elif path.is_dir():
            yield from _or_itself(argument, _walk(path, left_out))
        elif glob.has_magic(argument):
            yield from _or_itself(argument, _matches(argument, left_out))
        else:
            yield argument


def sources(paths: Iterable[str], stdin: IO[bytes], frames: Frames) -> Iterator[Source]:
    """The pictures of files, of the frames of videos and, for `-`, of standard input."""
    for path in paths:
        if path == STDIN:
            yield Source(path, None, partial(_decode, stdin.read(MAX_BYTES + 1)))
        elif Path(path).suffix.lower() in VIDEOS and Path(path).is_file():
            yield from frames(path)
        else:
            yield Source(path, None, partial(read_file, path))


def read_file(path: str) -> Picture:
    """Decode the picture in a file.

    Raises:
        ImageError: there is none, or none that can be decoded.
        OSError: it cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        raise ImageError(f"no picture ({', '.join(sorted(PICTURES))}) in this folder")
    if not place.exists():
        what = "no file matches" if glob.has_magic(path) else "no such file or folder"
        raise ImageError(what)
    with place.open("rb") as stream:
        return _decode(stream.read(MAX_BYTES + 1))


def broken(path: str, reason: str) -> Source:
    """A source that cannot be read, for `reason`."""

    def read() -> Picture:
        raise ImageError(reason)

    return Source(path, None, read)


def _decode(data: bytes) -> Picture:
    if not data:
        raise ImageError("empty")
    if len(data) > MAX_BYTES:
        raise ImageError(f"longer than {MAX_BYTES // 2**20} MiB, no picture that is read here")
    return decode(data)


def _or_itself(argument: str, found: Iterator[str]) -> Iterator[str]:
    first = next(found, argument)
    yield first
    yield from found


def _walk(folder: Path, left_out: Path | None) -> Iterator[str]:
    if left_out is not None and folder.resolve() == left_out:
        return
    for name in sorted(each.name for each in folder.iterdir()):
        path = folder / name
        if name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():  # it may lead back here
                yield from _walk(path, left_out)
        elif path.suffix.lower() in PICTURES:
            yield str(path)


def _matches(pattern: str, left_out: Path | None) -> Iterator[str]:
    deep = "**" in Path(pattern).parts  # finds what is below a folder by itself
    for name in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207  Path.glob takes no absolute one
        path = Path(name)
        if path.is_dir():
            yield from () if deep else _walk(path, left_out)
        elif path.suffix.lower() in PICTURES | VIDEOS and path.parent.resolve() != left_out:
            yield name
