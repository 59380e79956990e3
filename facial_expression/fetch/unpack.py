"""Any source as a list of files, read under the limits for untrusted archives.

A source is a folder, a zip, a tar or a table; the last two may be compressed by gzip, bzip2 or xz.
The suffix of a picture is believed; what other files are, their content says.  Paths, links,
declared sizes and compression ratios are checked before a file is read, and what is read is
compared with what was declared.
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
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from facial_expression.core.errors import ArchiveError
from facial_expression.pictures import archive

PIECE = 1 << 20  # bytes read at a time
LARGEST_RATIO = 200  # unpacked to packed; photographs reach 1, a blank drawing some 50
HARMLESS = 16 << 20  # bytes that any archive may unpack to, whatever the ratio
LARGEST_PICTURE = 256 << 20  # bytes; the index stage holds whole files in memory
LONGEST_PATH = 1000  # characters
LONGEST_TAR_HEADER = 4 << 20  # bytes; tarfile holds whole headers in memory
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
NOT_UTF8 = re.compile(r"[\ud800-\udfff]")  # how Python escapes bytes that are not
HEAD = 512  # bytes that tell what a file is
PASSED_OVER = {
    "HEIF": ".heic (install the extra heic)",
    "AVIF": ".avif (install a Pillow that reads it)",
    "archive": "packed (unpack them), e.g. {}",
    "": "not pictures, e.g. {}",
}
DECOMPRESSORS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
DAMAGE = (*archive.DAMAGE, tarfile.TarError, lzma.LZMAError, LookupError, ArithmeticError)
"""What the readers of archives raise on bad bytes, beside an OSError without a number."""


@dataclass(frozen=True)
class Limits:
    """Limits for reading untrusted archives."""

    max_bytes: int
    max_files: int

    def check(self, total: int, files: int, packed: int, where: str) -> None:
        """Refuse too many files, or too many bytes in `total` for `packed` bytes they came from."""
        found = ((files, self.max_files, "files"), (total, self.max_bytes, "bytes"))
        for number, most, unit in found:
            if number > most:
                raise ArchiveError(
                    f"{where}: expected at most {most} {unit}, found more; raise fetch.max_{unit} "
                    "if you trust this source"
                )
        if total > max(HARMLESS, LARGEST_RATIO * packed):
            raise ArchiveError(
                f"{where}: a decompression bomb: {packed} bytes unpack to {total} or more (at most "
                f"{LARGEST_RATIO} times as many are read); do not trust this source"
            )


class File(NamedTuple):
    """One file of a source."""

    path: str  # inside the source, as `safe_path` returns it
    size: int  # bytes, as declared
    place: Any  # what `opener` opens: a path, or a member of a zip or tar
    opener: Callable[[Any], IO[bytes]]

    def open(self) -> IO[bytes]:
        """Open the file to read it from front to back; to be used under `reading`."""
        return self.opener(self.place)

    def pieces(self, where: str) -> Iterator[bytes]:
        """The bytes of a picture of the source `where`, piece by piece, if all is as declared."""
        where, left = f"{where}: {self.path!r}", self.size
        if left > LARGEST_PICTURE:
            raise ArchiveError(
                f"{where}: expected a picture of at most {LARGEST_PICTURE} bytes, found {left}; "
                "leave it out"
            )
        with reading(where), self.open() as stream:
            while piece := stream.read(PIECE):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
            if left:
                raise corrupt(where, "its size is not the one declared")


@dataclass
class Files:
    """The files of one source by what they are; hidden ones are left out."""

    where: str  # the source, for messages
    limits: Limits
    scratch: Path  # folder for what is unpacked to the disk
    stack: ExitStack  # closes what is unpacked to the disk
    folders: list[str] = field(default_factory=list)
    pictures: list[File] = field(default_factory=list)
    tables: list[File] = field(default_factory=list)  # with the columns of fer2013.csv
    archives: list[File] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    """Path and format of pictures that cannot be read here; path and "" of any other file."""
    unpacked: int = 0  # bytes on the disk, of all archives together
    packed: int = 0  # bytes that these came from

    def passed_over(self) -> str:
        """One line about the files that are neither read nor hidden, "" if there are none."""
        found = self.others + [(file.path, "archive") for file in self.archives]
        parts = [
            f"{len(paths)} {text.format(min(paths))}"
            for kind, text in PASSED_OVER.items()
            if (paths := [path for path, of in found if of == kind])
        ]
        files = "1 file" if len(found) == 1 else f"{len(found)} files"
        return f"{self.where}: {files} passed over: {', '.join(parts)}" if parts else ""

    def add(self, file: File) -> None:
        """Find out what a file is; only one without a picture's suffix is opened."""
        if is_junk(file.path):
            return
        if file.path.lower().endswith(archive.SUFFIXES):
            self.pictures.append(file)
            return
        from facial_expression.pictures import images  # NumPy and Pillow take a while

        with reading(self.where), file.open() as stream:
            head = stream.read(HEAD)
        kind = images.format_of(head)
        if kind in images.FORMATS:
            self.pictures.append(file)
        elif head.startswith((b"PK", *DECOMPRESSORS)) or _is_tar(head):
            self.archives.append(file)
        elif _is_table(head) or file.path.lower().endswith("fer2013.csv"):
            self.tables.append(file)
        else:
            self.others.append((file.path, kind))

    def add_archive(self, stream: IO[bytes], name: str) -> None:
        """Add the files of an archive or a table, told apart by its first bytes."""
        packed = stream.seek(0, os.SEEK_END)
        head = _peek(stream)
        for magic, decompressor in DECOMPRESSORS.items():
            if head.startswith(magic):
                with decompressor(stream) as plain:
                    stream = self.spool(plain, packed)
                head = _peek(stream)
                if not _is_table(head):
                    return _list_tar(stream, self)
        if head.startswith(b"PK"):
            return _list_zip(zipfile.ZipFile(stream), packed, self)
        if _is_tar(head):
            return _list_tar(stream, self)
        if _is_table(head) or name.lower().endswith(".csv"):
            return self.tables.append(File(name, packed, stream, _open_already))
        found = f"a file that begins with {head[:16]!r}; a download may have given an error page"
        raise ArchiveError(
            f"{self.where}: expected a zip, a tar, fer2013.csv or a folder, found "
            f"{found if head else 'an empty file'}"
        )

    def spool(self, stream: IO[bytes], packed: int) -> IO[bytes]:
        """A file on the disk with what `stream` unpacks from `packed` bytes."""
        plain = tempfile.TemporaryFile(dir=self.scratch)  # noqa: SIM115
        self.stack.callback(plain.close)
        self.packed += packed
        while piece := stream.read(PIECE):
            plain.write(piece)
            self.unpacked += len(piece)
            self.limits.check(self.unpacked, 1, self.packed, self.where)
        return plain


@contextmanager
def opened(source: Path, limits: Limits, where: str, scratch: Path) -> Iterator[Files]:
    """The files of `source`, checked and listed; messages call it `where`.

    Where there are neither pictures nor tables, all archives among the files are read together.
    `scratch` is a folder for temporary files.

    Raises:
        ArchiveError: the source is empty, of another kind, damaged or dangerous.
    """
    with ExitStack() as stack:
        files = Files(where, limits, scratch, stack)
        with reading(where):
            if source.is_dir():
                _list_folder(source, files)
            else:
                files.add_archive(stack.enter_context(source.open("rb")), source.name)
        if not files.pictures and not files.tables:
            archives, files.archives = files.archives, []
            for file in archives:
                files.where = f"{where}/{file.path}"
                with reading(files.where):
                    stream = stack.enter_context(file.open())
                    if not source.is_dir():
                        stream = files.spool(stream, file.size)
                    files.add_archive(stream, file.path)
            files.where = where
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

    Windows separates by backslashes and a Mac decomposes accents, but a name must be one name.

    Raises:
        ArchiveError: the path is absolute, leaves the source, or cannot be a file name everywhere.
    """
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or path[1:2] == ":":
        raise _refused(name, where, "has an absolute path")
    if ".." in parts:
        raise _refused(name, where, "climbs out of the archive")
    if NOT_UTF8.search(path):
        raise _refused(name, where, "has a name that is not UTF-8", "unpack it yourself")
    if len(path) > LONGEST_PATH or UNPRINTABLE.search(path):
        raise _refused(name, where, "has a path that is too long or holds control characters")
    return "/".join(parts)


def is_junk(path: str) -> bool:
    """Whether a path is hidden (`.DS_Store`, `._x`) or inside the Mac's `__MACOSX`."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _is_table(head: bytes) -> bool:
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0].lower()
    return {b"emotion", b"pixels", b"usage"} <= {cell.strip(b' "\r') for cell in line.split(b",")}


def _list_folder(folder: Path, files: Files) -> None:
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path).relative_to(folder).as_posix()
                if is_junk(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    files.folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    path = safe_path(path, files.where)
                    files.add(File(path, entry.stat().st_size, entry.path, _open_path))
                else:
                    raise _refused(path, files.where, "is a link or a device")


def _open_path(path: str) -> IO[bytes]:
    return Path(path).open("rb")


def _open_already(stream: IO[bytes]) -> IO[bytes]:
    return stream


def _peek(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(0)
    return head


def _list_zip(zipped: zipfile.ZipFile, packed: int, files: Files) -> None:
    infos, where = zipped.infolist(), files.where
    files.limits.check(sum(info.file_size for info in infos), len(infos), packed, where)
    opener = partial(_open_zipped, zipped)
    for info in infos:
        name = info.filename
        if not info.flag_bits & 0x800 and name == info.orig_filename:
            # Without the flag of UTF-8, and without a field that says it, the code page is unknown:
            # what is not UTF-8 nonetheless is refused by `safe_path`.
            name = name.encode("cp437").decode("utf-8", "surrogateescape")
        path = safe_path(name, where)
        if info.is_dir():
            files.folders.append(path)
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _refused(path, where, "is a link or a device")
        elif info.flag_bits & 0x41:
            raise _refused(path, where, "is encrypted")
        else:
            files.add(File(path, info.file_size, info, opener))
    infos.clear()  # the archive's own list and table: `files` is enough to open members, and each
    zipped.NameToInfo.clear()  # of its entries can be freed as soon as it has been read


def _open_zipped(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member; zipfile would inflate 4 KB of bzip2, which may be gigabytes, in one go."""
    if info.compress_type != zipfile.ZIP_BZIP2:
        return zipped.open(info)
    raw = copy.copy(info)
    raw.compress_type, raw.file_size = zipfile.ZIP_STORED, info.compress_size
    raw.CRC = None  # type: ignore[assignment]  # bzip2 has its own
    return cast(IO[bytes], bz2.BZ2File(zipped.open(raw)))


class _ShortReads(io.BufferedReader):
    """A file for tarfile, which reads a header whole, however long it claims to be."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LONGEST_TAR_HEADER:
            raise tarfile.ReadError("a header is too long")
        return super().read(size)


def _list_tar(stream: IO[bytes], files: Files) -> None:
    """Add the files of a tar that is not compressed."""
    total, where = stream.seek(0, os.SEEK_END), files.where
    blocks = _ShortReads(cast(io.BufferedReader, stream).raw)
    blocks.seek(0)
    tar = tarfile.TarFile(fileobj=blocks, errorlevel=2)

    def opener(place: tuple[int, int]) -> IO[bytes]:
        info = tarfile.TarInfo()
        info.offset_data, info.size = place
        return cast(IO[bytes], tar.extractfile(info))

    for count, info in enumerate(tar, 1):
        tar.members.clear()  # type: ignore[attr-defined]  # they take a KB each
        files.limits.check(total, count, total, where)
        path = safe_path(info.name, where)
        if info.isdir():
            files.folders.append(path)
        elif not info.isreg() or info.issparse():
            raise _refused(path, where, "is a link, a device or a sparse file")
        else:
            files.add(File(path, info.size, (info.offset_data, info.size), opener))
    blocks.seek(tar.offset)
    if blocks.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise corrupt(where, "a header is damaged or the end is missing")  # tarfile just stops


def _refused(
    path: str, where: str, fault: str, remedy: str = "leave it out and pack again"
) -> ArchiveError:
    return ArchiveError(f"{where}: the member {path[:LONGEST_PATH]!r} {fault}; {remedy}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
