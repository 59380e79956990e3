"""Any source as a list of files, read under the limits for untrusted archives.

A source is a folder, a zip, a tar or a table; each may be compressed by gzip, bzip2 or xz.  The
suffix of a picture is believed; what other files are, their content says.  Paths, links, declared
sizes and compression ratios are checked before a file is read, and what is read is compared with
what was declared.
"""

import bz2
import copy
import csv
import gzip
import io
import lzma
import os
import re
import stat
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from facial_expression.core.errors import FULL, ArchiveError, reason
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.pictures import archive

PIECE = 1 << 20  # bytes unpacked at a time
LARGEST_RATIO = 200  # unpacked to packed; photographs reach 1, a blank drawing some 50
HARMLESS = 16 << 20  # bytes that any archive may unpack to, whatever the ratio
LARGEST_PICTURE = 256 << 20  # bytes; whole files are held in memory
LONGEST_PATH = 1000  # characters
LONGEST_TAR_HEADER = 4 << 20  # bytes; tarfile holds whole headers in memory
DEEPEST = 4  # archives in one another, as a zip that holds a tar.gz
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
NOT_UTF8 = re.compile(r"[\ud800-\udfff]")  # how Python escapes bytes that are not
CACHED = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}$")  # of an object
A_PART = re.compile(r"\.(zip|7z|rar|tar|gz|tgz)\.\d+$|\.z\d\d$", re.IGNORECASE)  # of an archive
HEAD = 512  # bytes that tell what a file is
DECOMPRESSORS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
DAMAGE = (
    *(*archive.DAMAGE, tarfile.TarError, lzma.LZMAError, csv.Error),
    *(LookupError, ArithmeticError, MemoryError),
)
"""What the readers of archives and arrays raise on bad bytes, beside OSErrors without a number."""


class File(NamedTuple):
    """One file of a source."""

    path: str  # inside the source, as `safe_path` returns it
    size: int  # bytes, as declared
    place: Any  # what `opener` opens: a path, or a member of a zip or tar
    opener: Callable[[Any], IO[bytes]]
    origin: str = ""  # which of several sources it comes from

    def __str__(self) -> str:
        return f"{self.path!r} in {self.origin}" if self.origin else repr(self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The other parts of it, "" if there are none."""
        return self.path.rpartition("/")[0]


@dataclass
class Files:
    """The files of a source, or of several, by what they are; hidden ones are left out."""

    where: str  # the source, for messages
    params: FetchParameters
    scratch: Path  # folder for what is unpacked to the disk
    stack: ExitStack  # closes archives
    folders: list[str] = field(default_factory=list)
    pictures: list[File] = field(default_factory=list)
    others: dict[str, list[File]] = field(default_factory=lambda: defaultdict(list))
    """By kind: "archive"; "foreign", an archive that cannot be read; "table", with the columns of
    fer2013.csv; the format of pictures that cannot be read here; "", any other file."""
    used: set[str] = field(default_factory=set)  # paths of other files that have been read
    count: int = 0  # files, and members of archives
    total: int = 0  # bytes of the files, as declared
    spooled: int = 0  # bytes unpacked to the disk
    packed: int = 0  # bytes that all of these came from
    origin: str = ""  # of the files that are being added

    def admit(self, name: str, where: str) -> str:
        """The safe path of one more file of the folder, or member of the archive, `where`."""
        self.count += 1
        self._limit("files", self.count)
        return safe_path(name, where)

    def add(self, file: File) -> None:
        """Find out what a file is; only one without a picture's suffix is opened."""
        if is_junk(file.path):
            return
        pictured = file.path.lower().endswith(archive.SUFFIXES)
        kind = "picture" if pictured else _kind(self.head(file), file.path)
        if self.origin:
            file = file._replace(origin=self.origin)
        (self.pictures if kind == "picture" else self.others[kind]).append(file)
        if kind != "archive":  # what is in it counts
            self.total += file.size
            self._bound(self.total)

    def other(self, *endings: str) -> list[File]:
        """The files of no kind whose `/path`, in lower case, has one of `endings`; by path."""
        found = (file for file in self.others[""] if f"/{file.path}".lower().endswith(endings))
        return sorted(found, key=lambda file: file.path)

    @contextmanager
    def stream(self, file: File) -> Iterator[IO[bytes]]:
        """A file, open to be read from front to back; what fails becomes an ArchiveError."""
        with reading(f"{self.where}: {file.path!r}"), file.opener(file.place) as stream:
            yield stream

    def head(self, file: File) -> bytes:
        """The first bytes of a file."""
        with self.stream(file) as stream:
            return stream.read(HEAD)

    def content(self, file: File) -> bytes:
        """The bytes of a file, if it is as large as declared."""
        if file.size > LARGEST_PICTURE:
            what = f"a file of at most {LARGEST_PICTURE} bytes"
            raise self.fault(what, file.size, "leave it out", file.path)
        with self.stream(file) as stream:
            data = stream.read(file.size + 1)
            if len(data) != file.size:
                raise EOFError("its size is not the one declared")
            return data

    def text(self, file: File) -> str:
        """What a file says, in UTF-8."""
        self.used.add(file.path)
        return self.content(file).decode("utf-8-sig", "replace")

    def unpack(self, file: File, where: str) -> None:
        """Add the files of an archive, or what a compressed file holds."""
        head = self.head(file)
        for magic, decompressor in DECOMPRESSORS.items():
            if head.startswith(magic):
                with file.opener(file.place) as stream, decompressor(stream) as plain:
                    return self.add(self.spool(plain, file.path.rpartition(".")[0] or file.path))
        if file.opener is not _open_path:  # a member, and in those one cannot jump about
            with file.opener(file.place) as stream:
                file = self.spool(stream, file.path)
        stream = self.stack.enter_context(file.opener(file.place))
        (_list_zip if head.startswith(b"PK") else _list_tar)(stream, where, self)

    def spool(self, stream: IO[bytes], path: str) -> File:
        """A file on the disk, called `path` in messages, that holds what `stream` gives."""
        with tempfile.NamedTemporaryFile(dir=self.scratch, delete=False) as plain:
            while piece := stream.read(PIECE):
                plain.write(piece)
                self.spooled += len(piece)
                self._bound(self.spooled)
            return File(path, plain.tell(), plain.name, _open_path)

    def fault(self, what: str, found: object, remedy: str, path: str = "") -> ArchiveError:
        """The error of a source, or of its file at `path`, that is not as expected."""
        where = f"{self.where}: {path!r}" if path else self.where
        return ArchiveError.expected(where, what, found, remedy)

    def note(self, text: str) -> None:
        """Print a line about the source to stderr."""
        print(f"{self.where}: {text}", file=sys.stderr)

    def _bound(self, unpacked: int) -> None:
        self._limit("bytes", unpacked)
        if unpacked > max(HARMLESS, LARGEST_RATIO * self.packed):
            raise ArchiveError(
                f"{self.where}: a decompression bomb: {self.packed} bytes unpack to {unpacked} or "
                f"more (at most {LARGEST_RATIO} times as many are read); do not trust this source"
            )

    def _limit(self, unit: str, found: int) -> None:
        if found > (most := getattr(self.params, f"max_{unit}")):
            remedy = f"raise fetch.max_{unit} if you trust this source"
            raise self.fault(f"at most {most} {unit}", "more", remedy)


@contextmanager
def opened(sources: Mapping[str, Path], params: FetchParameters, scratch: Path) -> Iterator[Files]:
    """The files of one source, or of several together, checked and listed.

    Where a source has neither pictures nor tables, all archives among its files are read together.

    Args:
        sources: what messages call each, and where it is.
        params: the limits.
        scratch: a folder for temporary files.

    Raises:
        ArchiveError: a source is empty, of another kind, damaged or dangerous.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=scratch))
        files = Files(", ".join(sources)[:300], params, Path(folder), stack)
        for where, source in sources.items():
            files.origin = where if len(sources) > 1 else ""
            passed_over = files.others.pop("archive", [])  # of the sources before
            _list_source(where, source, files)
            files.others["archive"] += passed_over
        yield files


def _list_source(where: str, source: Path, files: Files) -> None:
    known = len(files.pictures) + len(files.others["table"])
    others = len(files.others[""])
    with reading(where):
        if source.is_dir():
            _list_folder(source, files)
        else:
            files.packed += (size := source.stat().st_size)
            files.add(File(source.name, size, str(source), _open_path))
    for file in files.others[""][others:] if source.is_file() else ():
        head, remedy = files.head(file)[:16], "a download may have given an error page"
        found = f"a file that begins with {head!r}" if head else "an empty file"
        raise ArchiveError.expected(where, "a zip, a tar, fer2013.csv or a folder", found, remedy)
    for _ in range(DEEPEST):
        if len(files.pictures) + len(files.others["table"]) > known:
            break
        for file in files.others.pop("archive", []):
            inside = where if file.place == str(source) else f"{where}/{file.path}"
            with reading(inside):
                files.unpack(file, inside)


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what the readers of archives raise on bad bytes into an ArchiveError."""
    try:
        yield
    except NotImplementedError as error:  # of zipfile
        raise ArchiveError(f"{where}: {reason(error)}; unpack it and pack it again") from error
    except DAMAGE as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in FULL:
            raise  # of the file that is written: `run` reports it
        broken = f"truncated or corrupt ({reason(error)}); get it again"
        fault = broken if number is None else f"cannot be read: {reason(error)}"
        raise ArchiveError(f"{where}: {fault}") from error


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
        remedy = "set fetch.encoding to the code page of the archive, such as gbk or cp437"
        raise _refused(name, where, "has a name that is not UTF-8", remedy)
    if len(path) > LONGEST_PATH or UNPRINTABLE.search(path):
        raise _refused(name, where, "has a path that is too long or holds control characters")
    return "/".join(parts)


def is_junk(path: str) -> bool:
    """Whether a path is hidden (`.DS_Store`, `._x`) or inside the Mac's `__MACOSX`."""
    return path.startswith(".") or "/." in path or "__MACOSX" in path.split("/")


def _kind(head: bytes, path: str) -> str:
    """`picture`, or the key of `Files.others`, of a file that begins with `head`."""
    if head.startswith((b"Rar!", b"7z\xbc\xaf")) or A_PART.search(path):
        return "foreign"
    if head.startswith((b"PK", *DECOMPRESSORS)) or head[257:262] == b"ustar":
        return "archive"
    from facial_expression.pictures import images  # NumPy and Pillow take a while

    if kind := images.format_of(head):
        return "picture" if kind in images.FORMATS else kind
    named = path.lower().endswith("fer2013.csv")
    return "table" if named or {"emotion", "pixels", "usage"} <= columns_of(head) else ""


def columns_of(head: bytes) -> set[str]:
    """The names of columns, in lower case, of a table that begins with `head`."""
    line = head.decode("utf-8-sig", "replace").lstrip().partition("\n")[0].lower()
    return {cell.strip(' "\r') for cell in re.split("[,;\t]", line)}


def in_dvc_cache(path: Path) -> bool:
    """Whether a path is that of an object of a DVC cache, which is named after its content."""
    return CACHED.search(path.as_posix()) is not None


def _list_folder(folder: Path, files: Files) -> None:
    """Add the files of a folder; links are followed inside the folder and into a DVC cache."""
    pending, listed = [str(folder)], {os.path.realpath(folder)}
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if is_junk(entry.name) or entry.name.endswith(".dvc"):  # what DVC writes
                    continue
                path = Path(entry.path).relative_to(folder).as_posix()
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    inside = Path(target).is_relative_to(os.path.realpath(folder))
                    if target in listed or not (inside or in_dvc_cache(Path(target))):
                        fault = "is a link that leads out of the source, or round in it"
                        raise _refused(path, files.where, fault, "put a copy there")
                if entry.is_dir():
                    pending.append(entry.path)
                    listed.add(os.path.realpath(entry.path))
                    files.folders.append(safe_path(path, files.where))
                elif entry.is_file():
                    path = files.admit(path, files.where)
                    size = entry.stat().st_size
                    files.packed += size
                    files.add(File(path, size, entry.path, _open_path))
                else:
                    raise _refused(path, files.where, "is a link to nothing or a device")


def _open_path(path: str) -> IO[bytes]:
    return Path(path).open("rb")


def _list_zip(stream: IO[bytes], where: str, files: Files) -> None:
    zipped = zipfile.ZipFile(stream)
    opener = partial(_open_zipped, zipped)
    for info in zipped.infolist():
        name = info.filename
        if not info.flag_bits & 0x800 and name == info.orig_filename:
            # Without the flag of UTF-8, and without a field that says it, the code page is unknown:
            # what `fetch.encoding` cannot decode is refused by `safe_path`.
            name = name.encode("cp437").decode(files.params.encoding, "surrogateescape")
        path = files.admit(name, where)
        if info.is_dir():
            files.folders.append(path)
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _refused(path, where, "is a link or a device")
        elif info.flag_bits & 0x41:
            raise _refused(path, where, "is encrypted")
        else:
            files.add(File(path, info.file_size, info, opener))
    zipped.filelist.clear()  # the archive's own list and table: `files` is enough to open members,
    zipped.NameToInfo.clear()  # and each of its entries can be freed as soon as it has been read


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


def _list_tar(stream: IO[bytes], where: str, files: Files) -> None:
    """Add the files of a tar that is not compressed."""
    blocks = _ShortReads(cast(io.BufferedReader, stream).raw)
    tar = tarfile.TarFile(fileobj=blocks, errorlevel=2, encoding=files.params.encoding)

    def opener(place: tuple[int, int]) -> IO[bytes]:
        info = tarfile.TarInfo()
        info.offset_data, info.size = place
        return cast(IO[bytes], tar.extractfile(info))

    for info in tar:
        tar.members.clear()  # type: ignore[attr-defined]  # they take a KB each
        path = files.admit(info.name, where)
        if info.isdir():
            files.folders.append(path)
        elif not info.isreg() or info.issparse():
            raise _refused(path, where, "is a link, a device or a sparse file")
        else:
            files.add(File(path, info.size, (info.offset_data, info.size), opener))
    blocks.seek(tar.offset)
    if blocks.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile just stops
        raise tarfile.ReadError("a header is damaged or the end is missing")


def _refused(path: str, where: str, fault: str, remedy: str = "") -> ArchiveError:
    remedy = remedy or "leave it out and pack again"
    return ArchiveError(f"{where}: the member {path[:LONGEST_PATH]!r} {fault}; {remedy}")
