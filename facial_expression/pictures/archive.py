"""The normalised archive: one zip whose bytes depend on the pictures and their names alone.

Members are `<split>/<class>/<name>`, sorted, stored without compression, dated 1980-01-01, with one
set of attributes; the pictures' own bytes are untouched.  So its sha256 identifies the data set.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from facial_expression.core.errors import ArchiveError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What makes a file a picture, in any case; everything else in a source is left out."""

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
FIRST_DAY = 0x21  # that date, as a zip writes it
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"  # what headers begin with
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
END_SIZE = 22  # bytes of the last header
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(struct.error, ValueError, RuntimeError),  # nonsense in a header
)


class Header(NamedTuple):
    """What stands before the name and the bytes of a member."""

    signature: bytes
    version: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    name_size: int
    extra_size: int


def is_picture(name: str) -> bool:
    """Whether the suffix of `name` is a picture's."""
    return name.lower().endswith(SUFFIXES)


def write(path: Path, pictures: Iterable[tuple[str, Iterable[bytes]]]) -> int:
    """Write (member name, pieces of its bytes), sorted by name, as a normalised archive.

    Returns:
        How many members there are.
    """
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, pieces in pictures:
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3  # Unix, on every machine
            info.external_attr = 0o100644 << 16
            with archive.open(info, "w") as member:
                for piece in pieces:
                    member.write(piece)
            count += 1
    return count


def members(path: Path) -> dict[str, int]:
    """Where each member of a normalised archive starts, by its name; the names are sorted.

    The local headers are walked, not the central directory: zipfile takes 0.7 KB a member for it.

    Raises:
        ArchiveError: there is no such file, it is corrupt, or it is not a normalised archive.
    """
    places: dict[str, int] = {}
    last = ""
    with _reading(path), path.open("rb") as stream:
        offset = 0
        while (header := stream.read(LOCAL_HEADER.size)).startswith(LOCAL):
            fields = Header(*LOCAL_HEADER.unpack(header))
            name = stream.read(fields.name_size).decode()
            parts = name.split("/")
            if len(parts) != 3 or not all(parts) or ".." in parts or not is_picture(name):
                raise _foreign(path, f"the member {name!r}")
            if (fields.method, fields.time, fields.date) != (zipfile.ZIP_STORED, 0, FIRST_DAY):
                raise _foreign(path, f"the member {name!r} compressed or dated")
            if name <= last:
                raise _foreign(path, "members out of order")
            places[name], last = offset, name
            offset = stream.seek(fields.extra_size + fields.size, os.SEEK_CUR)
        if not header.startswith(CENTRAL if places else END):
            raise zipfile.BadZipFile(f"no member at byte {offset}")
        stream.seek(-END_SIZE, os.SEEK_END)
        if not stream.read().startswith(END):
            raise zipfile.BadZipFile("its end is missing")
    if not places:
        raise _foreign(path, "no member")
    return places


def read_members(path: Path, places: Iterable[tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) for each of some items of `members`, in their order.

    Nothing but they is read, so a worker's memory and time do not grow with the archive.

    Raises:
        ArchiveError: the archive is missing, or a member is damaged.
    """
    with _reading(path), path.open("rb") as stream:
        for name, offset in places:
            stream.seek(offset)
            header = Header(*LOCAL_HEADER.unpack(stream.read(LOCAL_HEADER.size)))
            found = stream.read(header.name_size)
            stream.seek(header.extra_size, os.SEEK_CUR)
            data = stream.read(header.size)
            whole = header.signature == LOCAL and found == name.encode()
            if not whole or zlib.crc32(data) != header.crc:
                raise zipfile.BadZipFile(f"the member {name!r} is damaged")
            yield name, data


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ArchiveError(f"{path}: no such archive; run the fetch stage") from None
    except DAMAGE as error:
        raise ArchiveError(
            f"{path}: corrupt or unreadable ({error}); delete it and run the fetch stage again"
        ) from None


def _foreign(path: Path, found: str) -> ArchiveError:
    return ArchiveError(
        f"{path}: expected the archive that the fetch stage writes, found {found}; run that stage"
    )
