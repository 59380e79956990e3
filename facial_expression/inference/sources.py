"""Pictures that are decoded only when they are needed, so that long lists take little memory."""

from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from facial_expression.core.errors import ImageError
from facial_expression.pictures.images import Picture, decode

MAX_BYTES = 256 * 2**20
"""Larger files are refused; no picture within the pixel limit needs more."""


class Source(NamedTuple):
    """A picture that is not read yet.

    Attributes:
        path: its name in the output.
        frame: its number in a video, from 0; None for a still picture.
        read: decodes it; raises ImageError or OSError.
        seconds: when a player shows it, from the first frame on; None where nothing says so.
    """

    path: str
    frame: int | None
    read: Callable[[], Picture]
    seconds: float | None = None


def unreadable(
    path: str, reason: str, frame: int | None = None, seconds: float | None = None
) -> Source:
    """A source whose `read` raises ImageError with `reason`."""

    def read() -> Picture:
        raise ImageError(reason)

    return Source(path, frame, read, seconds)


def read_picture(stream: BinaryIO) -> Picture:
    """Decode the picture file in a stream.

    Raises:
        ImageError: the stream is empty, too long, or not a picture that can be decoded.
        OSError: it cannot be read.
    """
    data = stream.read(MAX_BYTES + 1)
    if not data:
        raise ImageError("empty")
    if len(data) > MAX_BYTES:
        raise ImageError(f"larger than {MAX_BYTES // 2**20} MiB, the limit for a picture file")
    return decode(data)
