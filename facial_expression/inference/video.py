"""Frames of video files, read with PyAV, and of cameras, with OpenCV; never from the network.

A frame is what players show: turned and mirrored by the file's display matrix, its pixels made
square.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ImageError, ParameterError, SourceError
from facial_expression.inference.containers import missing_bytes
from facial_expression.inference.sources import Source, unreadable
from facial_expression.pictures.images import Picture, wait_for_turn

if TYPE_CHECKING:
    import av

MAX_PIXELS = 36_000_000  # of a frame: 8K; several are in memory
UNREADABLE, DAMAGED = "not a video that can be decoded", "damaged frame"
COVER = 1024  # FFmpeg's disposition of a picture that comes with music
FLATTEST = 10  # sides of a pixel have at most this ratio; others are errors in the file

TURN = Image.Transpose
TURNS = {
    (1, 0, 0, 1): None,
    (-1, 0, 0, 1): TURN.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): TURN.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): TURN.ROTATE_180,
    (0, 1, -1, 0): TURN.ROTATE_270,
    (0, -1, 1, 0): TURN.ROTATE_90,
    (0, 1, 1, 0): TURN.TRANSPOSE,
    (0, -1, -1, 0): TURN.TRANSVERSE,
}
"""Signs of a display matrix (ISO/IEC 14496-12: x' = ax + cy, y' = bx + dy) -> what it does."""


def video(path: str, every: int = 1, limit: int | None = None) -> Iterator[Source]:
    """Every `every`-th frame of a video file, starting with the first, at most `limit` frames.

    A damaged frame is an unreadable source with its number.  If no frame can be decoded, or if the
    file is truncated, an unreadable source that says so comes last.

    Raises:
        ParameterError: `every` or `limit` is below 1.
    """
    for name, value in (("every", every), ("limit", limit)):
        if value is not None and value < 1:
            raise ParameterError(f"{name}: expected at least 1, found {value}")
    count = 0
    for source in _decoded(path, every):
        yield source
        count += 1
        if count == limit:
            return
    if missing := missing_bytes(Path(path)):
        yield unreadable(path, f"cut: at least {missing:,} bytes and their frames are missing")
    elif not count:
        yield unreadable(path, UNREADABLE)


def _decoded(path: str, every: int) -> Iterator[Source]:
    import av

    asked: Any = {
        "options": {"protocol_whitelist": "file"},  # a file may name others
        "metadata_errors": "replace",  # titles in any encoding
    }
    try:
        with _File(path) as file, av.open(file, "r", **asked) as container:
            streams = [each for each in container.streams.video if not each.disposition & COVER]
            if not streams or streams[0].codec_context is None:  # of no known kind
                return
            (stream, *_), start, number = streams, None, 0
            if problem := _too_large(stream.codec_context.width, stream.codec_context.height):
                yield unreadable(path, problem)
                return
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # later frames
            shape = stream.sample_aspect_ratio
            wider = float(shape) if shape and 1 / FLATTEST <= shape <= FLATTEST else 1.0
            for packet in container.demux(stream):
                frames: list[av.VideoFrame | None]
                try:
                    frames = [*packet.decode()]
                except (av.FFmpegError, ValueError):
                    frames = [None]
                for frame in frames:
                    seconds = frame.time if frame else None
                    start = seconds if start is None else start
                    since = None if seconds is None else seconds - (start or 0)
                    if number % every == 0 and frame and not frame.is_corrupt:
                        yield Source(path, number, partial(_shown, frame, wider), since)
                    elif number % every == 0:
                        yield unreadable(path, DAMAGED, number, since)
                    number += 1
    except (av.FFmpegError, OSError, ValueError):
        return


def _too_large(width: int, height: int) -> str:
    pixels = f"{width}x{height} pixels, at most {MAX_PIXELS} allowed in a frame"
    return pixels if width * height > MAX_PIXELS else ""


class _File(FileIO):
    """An open file, because FFmpeg reads some names as addresses and patterns."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """As FFmpeg's: -1 for places that cannot be; PyAV would print an error's traceback."""
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            return -1


def _shown(frame: av.VideoFrame, wider: float) -> Picture:
    """A frame as players show it; its pixels are `wider` times as wide as high."""
    import av

    width, height = round(max(wider, 1) * frame.width), round(max(1 / wider, 1) * frame.height)
    if problem := _too_large(width, height):
        raise ImageError(problem)
    wait_for_turn(width * height)
    try:
        rgb = Image.fromarray(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, ValueError):
        raise ImageError(DAMAGED) from None
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height))
    sides: Any = frame.side_data  # PyAV's stubs know no names
    if "DISPLAYMATRIX" in sides:
        matrix = bytes(sides["DISPLAYMATRIX"])
        signs = np.frombuffer(matrix[:36], np.int32).reshape(3, 3)[:2, :2].ravel() / 2**16
        turn = TURNS.get(tuple(np.rint(signs / max(np.abs(signs).max(), 1e-9)).astype(int)))
        rgb = rgb if turn is None else rgb.transpose(turn)
    return Picture(rgb, rgb.mode)


def camera(index: int, every: int = 1, limit: int | None = None) -> Iterator[Source]:
    """Frames of a camera as they come, until it stops or `limit` frames were read.

    Raises:
        SourceError: the camera cannot be opened.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # one line says it instead
    capture = cv2.VideoCapture(index)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not a queue of old ones
    if not capture.isOpened():
        raise SourceError(
            f"camera {index}: cannot be opened; connect it, check its permissions, or choose "
            "another with --camera INDEX"
        )
    try:
        number = count = 0
        while count != limit and capture.grab():
            if number % every == 0:
                decoded, bgr = capture.retrieve()
                if not decoded:
                    return
                yield Source(f"camera:{index}", number, partial(_picture, np.asarray(bgr)))
                count += 1
            number += 1
    finally:
        capture.release()


def _picture(bgr: NDArray[np.uint8]) -> Picture:
    rgb = Image.fromarray(np.ascontiguousarray(bgr[:, :, ::-1]))
    return Picture(rgb, rgb.mode)
