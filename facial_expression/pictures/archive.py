"""images.zip, the normalised archive: its bytes depend on the pictures and their names alone.

Members are `<split>/<class>/<name>`, sorted, stored without compression, with one date and one set
of attributes (`core.files`); the pictures' own bytes are untouched.  So its sha256 identifies the
data set.
"""

import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facial_expression.core.errors import ArchiveError, not_the_file
from facial_expression.core.files import EPOCH, in_store, reaching

SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg"),
    *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Files with these suffixes, in any case, are pictures; of others, the first bytes tell."""

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
"""What stands before the name and the bytes of a member (PKWARE APPNOTE 4.3.7)."""

PIECE = 1 << 20  # bytes read at a time: a store takes a while for each answer

DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(struct.error, ValueError, RuntimeError),  # nonsense in a header
)


def members(path: Path) -> dict[str, int]:
    """Name -> byte at which the member starts, for every member of a normalised archive.

    `path` may be the address of an archive in a store, of which only the directory is read.

    An ArchiveError if the file is missing, corrupt, or not a normalised archive.
    """
    names, offsets = _directory(path)
    return dict(zip(names.split("\0"), offsets, strict=True))


def _directory(path: Path) -> "tuple[str, array[int]]":
    """The names, joined, and the places of all members.

    `zipfile` takes 0.6 KB a member, which return to the system only if nothing among them stays.
    """
    with _reading(path), path.open("rb", PIECE) as stream, zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]  # without NUL, at which zipfile cuts them
    plain = all(i.compress_type == zipfile.ZIP_STORED and i.date_time == EPOCH for i in infos)
    placed = all(len(parts := name.split("/")) == 3 and not {"", ".."} & {*parts} for name in names)
    placed &= all(0 <= info.header_offset < 1 << 63 for info in infos)
    if not (infos and plain and placed) or names != sorted(set(names)):
        raise ArchiveError(
            f"{path}: expected the archive that the fetch stage writes, found another; run that "
            "stage"
        )
    return "\0".join(names), array("q", (info.header_offset for info in infos))


def read_members(path: Path, places: Iterable[tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) for some items of `members`, in their order.

    `zipfile` would read the directory of all members first.  An ArchiveError if the archive is
    missing, or a member is damaged.
    """
    with _reading(path), path.open("rb", PIECE) as stream:
        for name, offset in places:
            stream.seek(offset)
            header = LOCAL_HEADER.unpack(stream.read(LOCAL_HEADER.size))
            signature, crc, size, name_size, extra_size = (header[i] for i in (0, 6, 8, 9, 10))
            found = stream.read(name_size + extra_size)[:name_size]
            data = stream.read(size)
            whole = signature == b"PK\3\4" and found == name.encode()
            if not whole or zlib.crc32(data) != crc:
                raise zipfile.BadZipFile(f"the member {name!r} is damaged")
            yield name, data


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    with reaching(path):
        try:
            yield
        except FileNotFoundError:
            raise ArchiveError(f"{path}: no such archive; run the fetch stage") from None
        except DAMAGE as error:
            if not_the_file(error) or (in_store(path) and isinstance(error, OSError)):
                raise  # `reaching` or `run` says it
            raise ArchiveError(
                f"{path}: corrupt or unreadable ({error}); delete it and run the fetch stage again"
            ) from None
