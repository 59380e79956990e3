"""Video files: which they are, and what is missing at the end of truncated ones.

Decoders return the frames before the cut without an error, so the container's own lengths are
compared with the size of the file.  The number of frames in a header does not help: some formats
only estimate it, others count frames that an edit list leaves out.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # first box of MP4 and MOV files


HEAD = 400
"""Bytes at the start of a file that tell a video."""
VIDEO = re.compile(
    rb"\0...(ftyp(?!avi[fs]|hei|hev|m[is]f1)|moov|wide|free|skip)|....mdat"  # MP4, MOV, 3GP
    rb"|\x1aE\xdf\xa3"  # Matroska, WebM
    rb"|RIFF....AVI "
    rb"|0&\xb2u\x8ef\xcf\x11"  # ASF: WMV
    rb"|FLV\x01"
    rb"|OggS"
    rb"|\0\0\1[\xb3\xba]"  # MPEG, bare or in a program stream
    rb"|G.{187}G|....G.{191}G",  # an MPEG transport stream, on disks with four bytes more
    re.DOTALL,
)


def is_video(head: bytes) -> bool:
    r"""Whether a file that begins with `head` (`HEAD` bytes) is a video of a known container.

    >>> is_video(b"\0\0\0\x18ftyp3gp5"), is_video(b"\0\0\0\x18ftypheic")
    (True, False)
    """
    return VIDEO.match(head) is not None


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
            end = _matroska_end(stream, size)
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
    """Bytes of a RIFF chunk and its header (Microsoft 1991; OpenDML: a long AVI has several).

    None if it is none, or was written to a pipe, where no writer can go back and fill in the size.
    """
    known = head[:4] == b"RIFF" and head[4:8] != b"\xff" * 4
    return 8 + int.from_bytes(head[4:8], "little") if known else None


def _box_size(head: bytes) -> int | None:
    """Bytes of a box and its header (ISO/IEC 14496-12); None if it is open-ended or invalid."""
    size = int.from_bytes(head[:4], "big")
    if size == 1:
        size = int.from_bytes(head[8:], "big")
    return size if size >= 8 else None


def _matroska_end(stream: BinaryIO, size: int) -> int | None:
    """The end of the segment after the EBML header (RFC 8794, RFC 9559); None if unknown."""
    stream.seek(len(EBML))
    header = _variable_integer(stream)
    if header is None or header > size:
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
