"""Files, folders, patterns, videos and standard input -> pictures in a fixed order."""

from __future__ import annotations

import glob
import io
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from facial_expression.core.errors import ImageError
from facial_expression.inference.sources import MAX_BYTES, Source, read_picture
from facial_expression.pictures.images import Picture

PICTURES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
"""Suffixes of the files that are read from a folder or by a pattern, in either case."""

VIDEOS = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"))
"""Suffixes of the files that are read as videos if they are named or match a pattern."""

STDIN = "-"


def expand(arguments: Iterable[str], drawings: Path | None = None) -> Iterator[str]:
    """The files that names of files, folders and patterns stand for.

    Folders are searched recursively, by name.  Only visible pictures are read from folders and
    patterns, and videos from patterns; pipes and devices are skipped, because reading one may never
    end.  A missing file and a folder that cannot be listed are passed on: reading them reports it.

    Args:
        arguments: each `-`, a file, a folder, or a pattern with `*`, `?`, `[...]` and `**`.
        drawings: a resolved folder that is skipped.
    """
    for argument in arguments:
        path = Path(argument)
        mode = _mode(path)
        if argument == STDIN or stat.S_ISREG(mode):
            found: Iterator[str] = iter(())
        elif stat.S_ISDIR(mode):
            found = _walk(path, drawings)
        elif glob.has_magic(argument):
            found = _matches(argument, drawings)
        else:
            found = iter(())
        yield next(found, argument)
        yield from found


def sources(
    paths: Iterable[str],
    stdin: Callable[[], BinaryIO],
    frames: Callable[[str], Iterator[Source]],
) -> Iterator[Source]:
    """The pictures in files and in standard input (`-`), and the frames of videos."""
    for path in paths:
        if path == STDIN:
            data = stdin().read(MAX_BYTES + 1)
            yield Source(path, None, partial(read_picture, io.BytesIO(data)))
        elif Path(path).suffix.lower() in VIDEOS and stat.S_ISREG(_mode(Path(path))):
            yield from frames(path)
        else:
            yield Source(path, None, partial(read_file, path))


def read_file(path: str) -> Picture:
    """Decode the picture in a file.

    Raises:
        ImageError: there is none, or it cannot be decoded.
        OSError: it cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        next(place.iterdir(), None)  # raises OSError if the folder cannot be listed
        raise ImageError(f"no picture ({', '.join(sorted(PICTURES))}) in this folder")
    if not place.exists():
        raise ImageError("no file matches" if glob.has_magic(path) else "no such file or folder")
    with place.open("rb") as stream:
        return read_picture(stream)


def _walk(folder: Path, drawings: Path | None) -> Iterator[str]:
    if drawings is not None and folder.resolve() == drawings:
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
            if not path.is_symlink():  # a link may lead back here
                yield from _walk(path, drawings)
        elif path.suffix.lower() in PICTURES and _is_file(mode):
            yield str(path)


def _matches(pattern: str, drawings: Path | None) -> Iterator[str]:
    recursive = "**" in Path(pattern).parts  # then the pattern itself finds files in subfolders
    for name in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207  Path.glob takes no absolute one
        path = Path(name)
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            yield from () if recursive else _walk(path, drawings)
        elif (
            path.suffix.lower() in PICTURES | VIDEOS
            and _is_file(mode)
            and path.parent.resolve() != drawings
        ):
            yield name


def _mode(path: Path) -> int:
    """The file's mode as `stat` returns it; 0 if there is no file or it cannot be examined."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _is_file(mode: int) -> bool:
    return not mode or stat.S_ISREG(mode)  # reading a file that cannot be examined says why
