"""Truncated video files: the container's own lengths compared with the size of the file.

Decoders return the frames before the cut without an error.  The number of frames in a header does
not help: some formats only estimate it, others count frames that an edit list leaves out.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # first box of MP4 and MOV files


def missing_bytes(path: Path) -> int:
    """How many bytes are missing at the end of a video file, at least.

    0 for a whole file and where the container does not say: live recordings, and formats other
    than AVI, MP4, MOV, M4V, Matroska and WebM.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        stream.seek(0)
        if head[:4] == EBML:
            end = _matroska_end(stream)
        elif head[:4] == b"RIFF" or head[4:] in BOXES:
            end = _last_part_end(stream, size, _riff_size if head[:4] == b"RIFF" else _box_size)
        else:
            end = None
    return max(0, end - size) if end is not None else 0


def _last_part_end(
    stream: BinaryIO, size: int, part_size: Callable[[bytes], int | None]
) -> int | None:
    """The end of the last of several parts in a row; None if a part does not give its size."""
    end = 0
    while end + 8 <= size:
        stream.seek(end)
        part = part_size(stream.read(16))
        if part is None:
            return None
        end += part
    return end


def _riff_size(head: bytes) -> int | None:
    """Bytes of a RIFF chunk and its header (Microsoft 1991; OpenDML: a long AVI has several)."""
    return 8 + int.from_bytes(head[4:8], "little") if head[:4] == b"RIFF" else None


def _box_size(head: bytes) -> int | None:
    """Bytes of a box and its header (ISO/IEC 14496-12); None if it is open-ended or invalid."""
    size = int.from_bytes(head[:4], "big")
    if size == 1:
        size = int.from_bytes(head[8:], "big")
    return size if size >= 8 else None


def _matroska_end(stream: BinaryIO) -> int | None:
    """The end of the segment after the EBML header (RFC 8794, RFC 9559); None if unknown."""
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
    """An EBML length: leading zeros say how many bytes follow; all ones mean unknown (None)."""
    first = stream.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    ones = (1 << 7 * (more + 1)) - 1
    value = int.from_bytes(first + stream.read(more), "big") & ones
    return None if value == ones else value
