"""Where a video's container says that it ends: a file that is shorter has been cut.

Decoders give the frames up to the cut and say nothing.  How many frames there should be is no help:
headers give a guess in some formats, and count what an edit leaves out in others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # that a file may begin with


def missing_bytes(path: Path) -> int:
    """How many bytes the container promises beyond the end of the file, at least.

    0 for a whole file, and where the container does not say: live recordings, and formats other
    than AVI, MP4 and its kin (MOV, M4V), Matroska and WebM.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        if head[:4] == b"RIFF":
            end = _end_of_parts(stream, size, _riff_part)
        elif head[:4] == EBML:
            end = _matroska_end(stream)
        elif head[4:] in BOXES:
            end = _end_of_parts(stream, size, _box)
        else:
            end = None
    return max(0, end - size) if end is not None else 0


def _end_of_parts(
    stream: BinaryIO, size: int, length: Callable[[BinaryIO], int | None]
) -> int | None:
    """The end of the last of the parts that follow one another; None if one does not say."""
    end = 0
    while end + 8 <= size:
        stream.seek(end)
        part = length(stream)
        if part is None:
            return None
        end += part
    return end


def _riff_part(stream: BinaryIO) -> int | None:
    """Bytes of a RIFF chunk with its head (Microsoft 1991; a long AVI has several, OpenDML)."""
    head = stream.read(8)
    return 8 + int.from_bytes(head[4:], "little") if head[:4] == b"RIFF" else None


def _box(stream: BinaryIO) -> int | None:
    """Bytes of a box with its head (ISO/IEC 14496-12); None if it is open-ended, or no box."""
    head = stream.read(16)
    size = int.from_bytes(head[:4], "big")
    if size == 1:
        size = int.from_bytes(head[8:], "big")
    return size if size >= 8 else None


def _matroska_end(stream: BinaryIO) -> int | None:
    """Where the segment after the EBML header ends (RFC 8794, RFC 9559); None if it is unknown."""
    stream.seek(len(EBML))
    header = _variable_integer(stream)
    if header is None:
        return None
    stream.seek(header, os.SEEK_CUR)
    if stream.read(4) != SEGMENT:
        return None
    segment = _variable_integer(stream)
    return None if segment is None else stream.tell() + segment


def _variable_integer(stream: BinaryIO) -> int | None:
    """An EBML length: leading zeros say how many bytes follow; all ones stand for unknown."""
    first = stream.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    ones = (1 << 7 * (more + 1)) - 1
    value = int.from_bytes(first + stream.read(more), "big") & ones
    return None if value == ones else value
