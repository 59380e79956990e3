"""What a person points at -> pictures to look at, one after the other, in a fixed order.

A picture is decoded only when it is looked at, so a list of any length takes little memory.
"""

from __future__ import annotations

import glob
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from facial_expression.core.errors import ImageError
from facial_expression.pictures.images import Picture, decode

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
    (of patterns videos as well), nothing that is hidden, and no pipe or device, since reading one
    may never end.  A name that is neither, and a folder that cannot be listed, is passed on:
    reading it says what is wrong.

    Args:
        arguments: of each `-`, a file, a folder, or a pattern with `*`, `?`, `[...]` and `**`.
        left_out: a folder that is not walked.
    """
    for argument in arguments:
        path = Path(argument)
        mode = _mode(path)
        if argument == STDIN or stat.S_ISREG(mode):
            yield argument
        elif stat.S_ISDIR(mode):
            yield from _or_itself(argument, _walk(path, left_out))
        elif glob.has_magic(argument):
            yield from _or_itself(argument, _matches(argument, left_out))
        else:
            yield argument


def sources(
    paths: Iterable[str], stdin: Callable[[], IO[bytes]], frames: Frames
) -> Iterator[Source]:
    """The pictures of files, of the frames of videos and, for `-`, of what `stdin` opens."""
    for path in paths:
        if path == STDIN:
            yield Source(path, None, partial(_decode, stdin().read(MAX_BYTES + 1)))
        elif Path(path).suffix.lower() in VIDEOS and stat.S_ISREG(_mode(Path(path))):
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
        next(place.iterdir(), None)  # where it may not be listed, that is what is wrong
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
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        yield str(folder)
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            if not path.is_symlink():  # it may lead back here
                yield from _walk(path, left_out)
        elif path.suffix.lower() in PICTURES and _may_be_read(mode):
            yield str(path)


def _matches(pattern: str, left_out: Path | None) -> Iterator[str]:
    deep = "**" in Path(pattern).parts  # finds what is below a folder by itself
    for name in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207  Path.glob takes no absolute one
        path = Path(name)
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            yield from () if deep else _walk(path, left_out)
        elif (
            path.suffix.lower() in PICTURES | VIDEOS
            and _may_be_read(mode)
            and path.parent.resolve() != left_out
        ):
            yield name


def _mode(path: Path) -> int:
    """What is there, as `stat` says it; 0 where nothing is, or nothing that may be asked about."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _may_be_read(mode: int) -> bool:
    return not mode or stat.S_ISREG(mode)
