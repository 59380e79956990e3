"""The one writer of zip files: the same members give the same bytes on every machine and day."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member: the first that a zip can hold."""

UNIX = 3  # the system that every file claims to come from


def write_zip(
    path: Path, members: Iterable[tuple[str, Iterable[bytes]]], permissions: int = 0o100644
) -> int:
    """Write a zip without compression, dates and other traces of the machine.

    Args:
        path: the file to write.
        members: names with the pieces of their bytes, in the order in which they are written.
        permissions: Unix mode of every member.

    Returns:
        The number of members.
    """
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, pieces in members:
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system, info.external_attr = UNIX, permissions << 16
            with archive.open(info, "w") as member:
                for piece in pieces:
                    member.write(piece)
            count += 1
    return count
