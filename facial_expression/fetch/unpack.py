"""Any source as a list of files, read under the limits for untrusted archives.

A source is a folder, a zip, a tar (plain, gzip, bzip2 or xz) or a table.  Paths, links, declared
sizes and compression ratios are checked before a file is read, and what is read is compared with
what was declared.
"""

from __future__ import annotations

import bz2
import copy
import errno
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from facial_expression.core.errors import ArchiveError
from facial_expression.pictures.archive import is_picture

PIECE = 1 << 20  # bytes read at a time
LARGEST_RATIO = 200  # unpacked to packed; photographs reach 1, a blank drawing some 50
HARMLESS = 16 << 20  # bytes that any archive may unpack to, whatever the ratio
LARGEST_PICTURE = 256 << 20  # bytes; the index stage holds whole files in memory
LONGEST_PATH = 1000  # characters
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # the last: bytes that are not UTF-8
PACKED = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".csv")
LONGEST_TAR_HEADER = 4 << 20  # bytes; tarfile holds whole headers in memory
DECOMPRESSORS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    # nonsense in a header:
    *(struct.error, ValueError, LookupError, ArithmeticError, RuntimeError),
)
"""What the readers of archives raise on bad bytes, beside an OSError without a number."""


@dataclass(frozen=True)
class Limits:
    """Limits for reading untrusted archives: what is beyond them is refused."""

    max_bytes: int
    max_files: int

    def check(self, total: int, files: int, packed: int, where: str) -> None:
        """Check `files` members of `total` bytes that came from `packed` bytes.

        Raises:
            ArchiveError: there are too many files or bytes, or the compression ratio is too high.
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
                f"{where}: a decompression bomb: {packed} bytes unpack to {total} or more (at most "
                f"{LARGEST_RATIO} times as many are read); do not trust this source"
            )


class File(NamedTuple):
    """One file of a source."""

    path: str
    """Inside the source: relative, `/` between its parts, Unicode's composed form (NFC)."""
    size: int
    """Bytes, as declared."""
    place: Any
    """What opens the file: a path, or a member of a zip or tar."""


@dataclass(frozen=True)
class Files:
    """The files of one source.

    Attributes:
        where: the source, for messages.
        found: all files; hidden ones only where the source is an archive.
        folders: paths of all folders that the source lists.
        opener: opens the `place` of a file.
    """

    where: str
    found: list[File]
    folders: list[str]
    opener: Callable[[Any], IO[bytes]]

    def open(self, file: File) -> IO[bytes]:
        """Open a file to read it from front to back; to be used under `reading`."""
        return self.opener(file.place)

    def pieces(self, file: File) -> Iterator[bytes]:
        """The bytes of a picture, piece by piece.

        Raises:
            ArchiveError: the file is too large, is damaged, or has not the declared size.
        """
        where, left = f"{self.where}: {file.path!r}", file.size
        if left > LARGEST_PICTURE:
            raise ArchiveError(
                f"{where}: expected a picture of at most {LARGEST_PICTURE} bytes, found {left}; "
                "leave it out"
            )
        with reading(where), self.open(file) as stream:
            while piece := stream.read(PIECE):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
            if left:
                raise corrupt(where, "its size is not the one declared")


@contextmanager
def opened(source: Path, limits: Limits, where: str, scratch: Path) -> Iterator[Files]:
    """The files of `source`, checked and listed; none of them is read yet.

    A folder without pictures that holds exactly one archive or table stands for that file.

    Args:
        source: a folder, a zip, a tar or fer2013.csv.
        limits: how much it may unpack to.
        where: the source, for messages.
        scratch: a folder for temporary files.

    Raises:
        ArchiveError: the source is empty, of another kind, damaged or dangerous.
    """
    if source.is_dir():
        with reading(where):
            files = _folder(source, where)
        packed = [file for file in files.found if file.path.lower().endswith(PACKED)]
        if not packed or any(is_picture(file.path) for file in files.found):
            yield files
        elif len(packed) == 1:
            inner = packed[0]
            with opened(Path(inner.place), limits, f"{where}/{inner.path}", scratch) as files:
                yield files
        else:
            raise ArchiveError(
                f"{where}: expected pictures or one archive, found {len(packed)} archives "
                f"({packed[0].path!r}, {packed[1].path!r}); leave one"
            )
        return
    with source.open("rb") as stream, tempfile.TemporaryFile(dir=scratch) as plain:
        with reading(where):
            files = _packed(stream, plain, source, limits, where)
        yield files


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
    except NotImplementedError as error:  # of zipfile
        raise ArchiveError(f"{where}: {_line(error)}; unpack it and pack it again") from error
    except DAMAGE as error:
        raise corrupt(where, _line(error)) from error


def corrupt(where: str, reason: str) -> ArchiveError:
    """The error for a source that is damaged."""
    return ArchiveError(f"{where}: truncated or corrupt ({reason}); get it again")


def safe_path(name: str, where: str) -> str:
    """`name` with `/` between its parts, without `.` parts, in Unicode's composed form (NFC).

    Archives made on Windows may separate by backslashes, those made on a Mac decompose accents;
    the same pictures must have the same names.

    Raises:
        ArchiveError: the path is absolute, leaves the source, or cannot be a file name everywhere.
    """
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or path[1:2] == ":":
        raise _refused(name, where, "has an absolute path")
    if ".." in parts:
        raise _refused(name, where, "climbs out of the archive")
    if len(path) > LONGEST_PATH or UNPRINTABLE.search(path):
        raise _refused(
            name[:80], where, "has a path that is too long, not UTF-8 or holds control characters"
        )
    return "/".join(parts)


def is_junk(path: str) -> bool:
    """Whether a path is hidden (`.DS_Store`, `._x`) or inside the Mac's `__MACOSX`."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _folder(folder: Path, where: str) -> Files:
    found, folders, pending = [], [], [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path).relative_to(folder).as_posix()
                if is_junk(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    size = entry.stat().st_size
                    found.append(File(safe_path(path, where), size, entry.path))
                else:
                    raise _refused(path, where, "is a link or a device")
    return Files(where, found, folders, lambda path: Path(path).open("rb"))


def _packed(stream: IO[bytes], plain: IO[bytes], source: Path, limits: Limits, where: str) -> Files:
    """The files of an archive or a table, told apart by its first bytes; `plain` is scratch."""
    head = stream.read(512)
    stream.seek(0)
    packed = source.stat().st_size
    if head.startswith(b"PK"):
        return _zip(zipfile.ZipFile(stream), packed, limits, where)
    for magic, decompressor in DECOMPRESSORS.items():
        if head.startswith(magic):
            with decompressor(stream) as unpacked:
                while piece := unpacked.read(PIECE):
                    plain.write(piece)
                    limits.check(plain.tell(), 1, packed, where)
            return _tar(plain, limits, where)
    if head[257:262] == b"ustar":
        return _tar(stream, limits, where)
    if source.suffix.lower() == ".csv" or head.removeprefix(b"\xef\xbb\xbf").startswith(b"emotion"):
        return Files(where, [File("fer2013.csv", packed, None)], [], lambda _: source.open("rb"))
    if not head:
        raise ArchiveError(f"{where}: expected a zip, a tar or fer2013.csv, found an empty file")
    raise ArchiveError(
        f"{where}: expected a zip, a tar, fer2013.csv or a folder, found a file that begins with "
        f"{head[:16]!r}; a download may have given an error page"
    )


def _zip(archive: zipfile.ZipFile, packed: int, limits: Limits, where: str) -> Files:
    infos = archive.infolist()
    limits.check(sum(info.file_size for info in infos), len(infos), packed, where)
    found, folders = [], []
    for info in infos:
        path = safe_path(info.filename, where)
        if info.is_dir():
            folders.append(path)
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _refused(path, where, "is a link or a device")
        elif info.flag_bits & 0x41:
            raise _refused(path, where, "is encrypted")
        else:
            found.append(File(path, info.file_size, info))
    infos.clear()  # the archive's own list and table: `found` is enough to open members, and each
    archive.NameToInfo.clear()  # of its entries can be freed as soon as it has been read
    return Files(where, found, folders, lambda info: _open_zipped(archive, info))


def _open_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member; zipfile would inflate 4 KB of bzip2, which may be gigabytes, in one go."""
    if info.compress_type != zipfile.ZIP_BZIP2:
        return archive.open(info)
    raw = copy.copy(info)
    raw.compress_type, raw.file_size = zipfile.ZIP_STORED, info.compress_size
    raw.CRC = None  # type: ignore[assignment]  # bzip2 has its own
    return cast(IO[bytes], bz2.BZ2File(archive.open(raw)))


class _ShortReads(io.BufferedReader):
    """A file for tarfile, which reads a header whole, however long it claims to be."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LONGEST_TAR_HEADER:
            raise tarfile.ReadError("a header is too long")
        return super().read(size)


def _tar(stream: IO[bytes], limits: Limits, where: str) -> Files:
    """The files of a tar that is not compressed."""
    total = stream.seek(0, os.SEEK_END)
    blocks = _ShortReads(cast(io.BufferedReader, stream).raw)
    blocks.seek(0)
    archive = tarfile.TarFile(fileobj=blocks, errorlevel=2)
    found, folders = [], []
    for count, info in enumerate(archive, 1):
        archive.members.clear()  # type: ignore[attr-defined]  # they take a KB each
        limits.check(total, count, total, where)
        path = safe_path(info.name, where)
        if info.isdir():
            folders.append(path)
        elif not info.isreg() or info.issparse():
            raise _refused(path, where, "is a link, a device or a sparse file")
        else:
            found.append(File(path, info.size, (info.offset_data, info.size)))
    blocks.seek(archive.offset)
    if blocks.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise corrupt(where, "a header is damaged or the end is missing")  # tarfile just stops

    def opener(place: tuple[int, int]) -> IO[bytes]:
        info = tarfile.TarInfo()
        info.offset_data, info.size = place
        return cast(IO[bytes], archive.extractfile(info))

    return Files(where, found, folders, opener)


def _refused(path: str, where: str, fault: str) -> ArchiveError:
    return ArchiveError(f"{where}: the member {path!r} {fault}; leave it out and pack again")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
