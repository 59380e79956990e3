"""The normalised archive: one zip whose bytes depend on the pictures and their names alone.

Members are `<split>/<class>/<name>`, sorted, stored without compression, dated 1980-01-01, with one
set of attributes; the pictures' own bytes are untouched.  So its sha256 identifies the data set.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from facial_expression.errors import ArchiveError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What makes a file a picture, in any case; everything else in a source is left out."""

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(struct.error, ValueError, RuntimeError),  # nonsense in a header
)


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


def members(path: Path) -> list[str]:
    """The sorted member names of a normalised archive.

    Raises:
        ArchiveError: there is no such file, it is corrupt, or it is not a normalised archive.
    """
    with _opened(path) as archive:
        infos = archive.infolist()
    names = [info.filename for info in infos]
    for info in infos:
        parts = info.filename.split("/")
        if len(parts) != 3 or not all(parts) or ".." in parts or not is_picture(info.filename):
            raise _foreign(path, f"the member {info.filename!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.date_time != EPOCH:
            raise _foreign(path, f"the member {info.filename!r} compressed or dated")
    if not names or any(left >= right for left, right in pairwise(names)):
        raise _foreign(path, "members out of order" if names else "no member")
    return names


def read_members(path: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) for each of `names`, in their order; the archive is opened once.

    Raises:
        ArchiveError: the archive or a member is missing or corrupt.
    """
    with _opened(path) as archive:
        for name in names:
            try:
                yield name, archive.read(name)
            except KeyError:
                raise ArchiveError(
                    f"{path}: no member {name!r}; run the index stage again"
                ) from None


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
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
