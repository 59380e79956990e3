"""Files, folders, patterns, videos and standard input -> pictures in a fixed order."""

import glob
import io
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from facial_expression.core.errors import ImageError
from facial_expression.inference.containers import HEAD, is_video
from facial_expression.inference.sources import MAX_BYTES, Source, read_picture
from facial_expression.pictures.archive import SUFFIXES
from facial_expression.pictures.images import FORMATS, Picture, format_of

STDIN = "-"

OTHER = "not pictures"
LINKED = "linked (name the folder itself)"
HINTS = {"HEIF": " (install the extra heic)", "AVIF": " (convert it to JPEG or PNG)"}
"""What to do with pictures of formats that are not read."""


@dataclass(frozen=True)
class Inputs:
    """What the arguments stand for.

    Attributes:
        paths: files to read, in order, and what is missing or cannot be listed: reading says so.
        empty: folders without a picture, as named.
        passed_over: path -> kind of the visible files that are not read.
    """

    paths: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)


def expand(arguments: Iterable[str], drawings: Path | None = None) -> Inputs:
    """The files that names of files, folders and patterns stand for.

    Folders are searched recursively, by name.  Only visible pictures are read from folders and
    patterns, whatever their names, and videos from patterns.

    Args:
        arguments: each `-`, a file, a folder, or a pattern with `*`, `?`, `[...]` and `**`.
        drawings: a resolved folder that is skipped.
    """
    found = Inputs()
    for argument in arguments:
        path, before = Path(argument), len(found.paths)
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            _walk(path, drawings, found)
            if len(found.paths) == before:
                found.empty.append(argument)
            continue
        if argument != STDIN and not stat.S_ISREG(mode) and glob.has_magic(argument):
            _match(argument, drawings, found)
        if len(found.paths) == before:
            found.paths.append(argument)
    return found


def counted(passed_over: Mapping[str, str]) -> str:
    """How many files were passed over, by kind, in one line."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for path, kind in passed_over.items():
        kinds[kind].append(path)
    others = kinds.pop(OTHER, [])
    parts = [f"{len(paths):,} {kind}" for kind, paths in sorted(kinds.items())]
    if others:
        word = OTHER if len(others) > 1 else "not a picture"
        parts.append(f"{len(others):,} {word}, e.g. {others[0]}")
    files = "files" if len(passed_over) > 1 else "file"
    return f"{len(passed_over):,} {files} passed over: {', '.join(parts)}"


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
        elif names_video(path):
            yield from frames(path)
        else:
            yield Source(path, None, partial(read_file, path))


def names_video(path: str) -> bool:
    """Whether a path is that of a file that begins like a video, whatever its name."""
    try:
        return stat.S_ISREG(_mode(Path(path))) and is_video(_head(Path(path)))
    except OSError:
        return False


def read_file(path: str) -> Picture:
    """Decode the picture in a file.

    Raises:
        ImageError: there is none, or it cannot be decoded.
        OSError: it cannot be read.
    """
    place = Path(path)
    if place.is_dir():  # one that `expand` could not list
        next(place.iterdir(), None)  # raises the reason
    if not place.exists():
        missing = "no picture or video matches"
        raise ImageError(missing if glob.has_magic(path) else "no such file or folder")
    with place.open("rb") as stream:
        return read_picture(stream)


def _walk(folder: Path, drawings: Path | None, found: Inputs) -> None:
    if drawings is not None and folder.resolve() == drawings:
        return
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        found.paths.append(str(folder))
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        if not stat.S_ISDIR(_mode(path)):
            _take(path, found, videos=False)
        elif path.is_symlink():  # it may lead back here
            found.passed_over[str(path)] = LINKED
        else:
            _walk(path, drawings, found)


def _match(pattern: str, drawings: Path | None, found: Inputs) -> None:
    recursive = "**" in Path(pattern).parts  # then the pattern itself finds files in subfolders
    fixed = len([*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)])
    for name in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207  Path.glob takes no absolute one
        path = Path(name)
        below = range(fixed + 1, len(path.parts) if recursive else 0)
        if linked := [link for end in below if (link := Path(*path.parts[:end])).is_symlink()]:
            found.passed_over[str(linked[0])] = LINKED  # it may lead back here
        elif stat.S_ISDIR(_mode(path)):
            if not recursive:
                _walk(path, drawings, found)
        elif path.parent.resolve() != drawings:
            _take(path, found, videos=True)


def _take(path: Path, found: Inputs, *, videos: bool) -> None:
    """Add a file of a folder or pattern to what is read, or to what is passed over."""
    kind = _kind(path, videos)
    if kind:
        found.passed_over[str(path)] = kind
    else:
        found.paths.append(str(path))


def _kind(path: Path, videos: bool) -> str:
    """Why a file is not read; "" if it is."""
    mode, suffix = _mode(path), path.suffix.lower()
    if mode and not stat.S_ISREG(mode):  # reading a pipe may never end
        return OTHER
    if suffix in SUFFIXES:  # a damaged one is named, not passed over
        return ""
    try:
        head = _head(path)
    except OSError:
        return ""  # reading it says why
    if is_video(head):
        return "" if videos else f"{suffix or 'video'} (name videos, or use a pattern)"
    kind = format_of(head)
    if kind in FORMATS:
        return ""
    return f"{suffix or kind}{HINTS[kind]}" if kind else OTHER


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD)


def _mode(path: Path) -> int:
    """The file's mode as `stat` returns it; 0 if there is no file or it cannot be examined."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
