"""Pictures out of zips and tars that nobody vouches for.

Paths, links, declared sizes and compression are checked before they are used, and what is read is
held against what was declared.
"""

from __future__ import annotations

import bz2
import copy
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.layout import arrange, is_junk, is_wanted, safe_path
from facial_expression.fetch.limits import (
    PIECE,
    Limits,
    Pictures,
    Spool,
    corrupt,
    pieces_of,
    reading,
)

LARGEST_PICTURE = 256 << 20  # bytes
TAR_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def is_table(path: str) -> bool:
    """Whether a path inside an archive is that of the challenge's table."""
    return path.rpartition("/")[2].lower() == "fer2013.csv" and not is_junk(path)


def read_zip(path: Path, file: IO[bytes], limits: Limits, where: str) -> Pictures:
    """The pictures of a zip; `file` is scratch space."""
    with reading(where), zipfile.ZipFile(path) as packed:
        infos = packed.infolist()
        total = sum(info.file_size for info in infos)
        limits.check(total, len(infos), path.stat().st_size, where)
        if not any(is_wanted(path) for path, _ in _checked(infos, where)):
            rows = Spool(file, limits, where)
            for table in [info for path, info in _checked(infos, where) if is_table(path)]:
                with _open_zip_member(packed, table) as stream:
                    rows.keep_table(stream)
            yield from rows.pictures()
            return
        found = (item for item in _checked(infos, where) if is_wanted(item[0]))
        pictures = arrange(found, where, [info.filename for info in infos if info.is_dir()])
        pictures.reverse()
        # each entry goes as its picture does, or the directories of both archives would be held
        infos.clear()  # ZipFile's own list
        packed.NameToInfo.clear()
        while pictures:
            name, info = pictures.pop()
            inside = f"{where}: {info.filename!r}"
            yield name, pieces_of(_open_zip_member(packed, info), info.file_size, inside)


def _checked(infos: list[zipfile.ZipInfo], where: str) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The members of a zip that are files, with their safe paths; an unsafe one is refused."""
    for info in infos:
        path = safe_path(info.filename, where)
        if info.is_dir():
            continue
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _refused(path, where, "is a link or a device")
        if info.flag_bits & 0x41:
            raise _refused(path, where, "is encrypted")
        if info.compress_type not in ZIP_METHODS:
            raise _refused(path, where, f"has the unknown compression {info.compress_type}")
        if is_wanted(path) and info.file_size > LARGEST_PICTURE:
            raise _refused(path, where, f"has {info.file_size} bytes, over {LARGEST_PICTURE}")
        yield path, info


def _open_zip_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member; zipfile would inflate 4 KB of bzip2, which may be gigabytes, in one go."""
    if info.compress_type != zipfile.ZIP_BZIP2:
        return packed.open(info)
    raw = copy.copy(info)
    raw.compress_type, raw.file_size = zipfile.ZIP_STORED, info.compress_size
    raw.CRC = None  # type: ignore[assignment]  # bzip2 carries its own
    return cast(IO[bytes], bz2.BZ2File(packed.open(raw)))


def read_tar(path: Path, file: IO[bytes], limits: Limits, where: str) -> Pictures:
    """The pictures of a tar, compressed or not, read once from front to back into `file`."""
    with path.open("rb") as plain:
        magic = plain.read(6)
    openers = (opener for start, opener in TAR_OPENERS.items() if magic.startswith(start))
    opener = next(openers, open)
    pictures, rows = Spool(file, limits, where), Spool(file, limits, where)
    with reading(where), cast(IO[bytes], opener(path, "rb")) as unpacked:
        stream = _Forward(unpacked, path.stat().st_size, limits, where)
        packed = tarfile.TarFile(fileobj=cast(IO[bytes], stream), errorlevel=2)
        while (info := packed.next()) is not None:
            stream.files += 1
            packed.members.clear()  # type: ignore[attr-defined]  # one object a member
            member = safe_path(info.name, where)
            if info.isdir():
                pictures.folders.append(member)
                continue
            if not info.isreg() or info.issparse():
                raise _refused(member, where, "is a link, a device or a sparse file")
            if is_wanted(member):
                if info.size > LARGEST_PICTURE:
                    raise _refused(member, where, f"has {info.size} bytes, over {LARGEST_PICTURE}")
                content = cast(IO[bytes], packed.extractfile(info))
                pictures.keep(member, pieces_of(content, info.size, f"{where}: {member!r}"))
            elif is_table(member):
                rows.keep_table(cast(IO[bytes], packed.extractfile(info)))
        if stream.last != bytes(tarfile.BLOCKSIZE):  # tarfile takes any bad header for the end
            raise corrupt(where, "a header is damaged or the end is missing")
        while stream.read(PIECE):  # to the checksum of the compressed stream
            pass
    yield from (pictures if pictures.kept else rows).pictures()


class _Forward:
    """A stream for tarfile that holds every read and skip against the limits."""

    def __init__(self, stream: IO[bytes], packed: int, limits: Limits, where: str) -> None:
        self.stream, self.packed, self.limits, self.where = stream, packed, limits, where
        self.files = 0
        self.last = b""

    def read(self, size: int) -> bytes:
        if size > 2 * PIECE:  # a header that claims to be that long
            raise corrupt(self.where, "a header is too long")
        self.last = self.stream.read(size)
        self._check(self.tell())
        return self.last

    def seek(self, position: int) -> int:
        self._check(position)
        return self.stream.seek(position)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.stream.tell()

    def _check(self, position: int) -> None:
        self.limits.check(position, self.files, self.packed, self.where)


def _refused(path: str, where: str, fault: str) -> ArchiveError:
    return ArchiveError(f"{where}: the member {path!r} {fault}; leave it out and pack again")
