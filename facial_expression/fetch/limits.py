"""How to read what nobody vouches for: limits, one kind of error, and scratch space."""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch import fer2013_csv
from facial_expression.fetch.layout import arrange

Pictures = Iterator[tuple[str, Iterator[bytes]]]
"""Sorted member names, each with the pieces of its bytes, to be used up before the next."""

PIECE = 1 << 20  # bytes read at a time
LARGEST_RATIO = 200  # unpacked to packed; photographs reach 1, a blank drawing some 50
HARMLESS = 16 << 20  # bytes that may come of any archive, whatever the ratio
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    # nonsense in a header:
    *(struct.error, ValueError, LookupError, ArithmeticError, RuntimeError),
)
"""What the readers of archives raise on bad bytes, beside OSError without a number."""


@dataclass(frozen=True)
class Limits:
    """How much a source may unpack to before it is taken for a decompression bomb."""

    max_bytes: int
    max_files: int

    def check(self, total: int, files: int, packed: int, where: str) -> None:
        """Refuse `files` members of `total` bytes that came from `packed` bytes.

        Raises:
            ArchiveError: there are too many of either, or they were packed too well.
        """
        if files > self.max_files:
            raise ArchiveError(
                f"{where}: expected at most {self.max_files} files, found more; "
                "raise fetch.max_files if you trust this source"
            )
        if total > self.max_bytes:
            raise ArchiveError(
                f"{where}: expected at most {self.max_bytes} bytes unpacked, found more; "
                "raise fetch.max_bytes if you trust this source"
            )
        if total > max(HARMLESS, LARGEST_RATIO * packed):
            raise ArchiveError(
                f"{where}: a decompression bomb: {packed} bytes that unpack to over {total} "
                f"(at most {LARGEST_RATIO} times as many are read); do not trust this source"
            )


class Spool:
    """Pictures that come in any order, kept in one open file until they can be sorted."""

    def __init__(self, file: IO[bytes], limits: Limits, where: str) -> None:
        self.file, self.limits, self.where = file, limits, where
        self.kept: list[tuple[str, tuple[int, int]]] = []
        self.folders: list[str] = []

    def keep(self, path: str, pieces: Iterable[bytes]) -> None:
        """Append one picture."""
        start = self.file.seek(0, 2)
        size = sum(self.file.write(piece) for piece in pieces)
        self.kept.append((path, (start, size)))
        total = start + size
        self.limits.check(total, len(self.kept), total, self.where)

    def keep_table(self, stream: IO[bytes]) -> None:
        """Append every row of a fer2013.csv."""
        for path, content in fer2013_csv.pictures(stream, self.where):
            self.keep(path, [content])

    def pictures(self) -> Pictures:
        """All that was kept, arranged."""
        for name, (start, size) in arrange(self.kept, self.where, self.folders):
            yield name, self._pieces(start, size)

    def _pieces(self, start: int, size: int) -> Iterator[bytes]:
        self.file.seek(start)
        while size > 0:
            piece = self.file.read(min(size, PIECE))
            size -= len(piece)
            yield piece


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what the readers of archives raise on bad bytes into an ArchiveError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # of the file that is written: `run` reports it
        if error.errno is None:
            raise corrupt(where, _line(error)) from error
        raise ArchiveError(f"{where}: cannot be read: {_line(error)}") from error
    except DAMAGE as error:
        raise corrupt(where, _line(error)) from error


def pieces_of(stream: IO[bytes], size: int, where: str) -> Iterator[bytes]:
    """The `size` bytes of an open file, piece by piece; the file is closed.

    Raises:
        ArchiveError: it holds more, or fewer, or cannot be read.
    """
    with reading(where), closing(stream):
        while piece := stream.read(PIECE):
            size -= len(piece)
            if size < 0:
                break
            yield piece
        if size:
            raise corrupt(where, "its size is not the one declared")


def corrupt(where: str, reason: str) -> ArchiveError:
    """The error for a source that is damaged."""
    return ArchiveError(f"{where}: truncated or corrupt ({reason}); get it again")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
