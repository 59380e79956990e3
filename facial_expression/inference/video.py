"""Frames of video files and cameras, read with OpenCV; never from the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import SourceError
from facial_expression.inference.containers import missing_bytes
from facial_expression.inference.sources import Source, unreadable
from facial_expression.pictures.images import Picture

if TYPE_CHECKING:
    import cv2


def video(path: str, every: int = 1, limit: int | None = None) -> Iterator[Source]:
    """Every `every`-th frame of a video file, starting with the first, at most `limit` frames.

    Frames are rotated upright as the file says.  If no frame can be decoded, or if the file is
    truncated, an unreadable source that says so comes last.
    """
    count = 0
    for source in _frames(_open(path), path, every, limit):
        count += 1
        yield source
    if not count:
        yield unreadable(path, "not a video that can be decoded")
    elif count != limit and (missing := missing_bytes(Path(path))):
        yield unreadable(path, f"cut: at least {missing:,} bytes and their frames are missing")


def camera(index: int, every: int = 1, limit: int | None = None) -> Iterator[Source]:
    """Frames of a camera as they come, until it stops or `limit` frames were read.

    Raises:
        SourceError: the camera cannot be opened.
    """
    capture = _open(index)
    if not capture.isOpened():
        raise SourceError(
            f"camera {index}: cannot be opened; connect it, check its permissions, or choose "
            "another with --camera INDEX"
        )
    yield from _frames(capture, f"camera:{index}", every, limit)


def _open(place: str | int) -> cv2.VideoCapture:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # errors are reported in one line instead
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if isinstance(place, str):
        # other backends read "%d" in a name as a pattern of numbered files
        return cv2.VideoCapture(place, cv2.CAP_FFMPEG)
    capture = cv2.VideoCapture(place)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not a queue of old ones
    return capture


def _frames(
    capture: cv2.VideoCapture, name: str, every: int, limit: int | None
) -> Iterator[Source]:
    try:
        number = count = 0
        while count != limit and capture.grab():
            if number % every == 0:
                decoded, bgr = capture.retrieve()
                if not decoded:
                    return
                yield Source(name, number, partial(_picture, np.asarray(bgr)))
                count += 1
            number += 1
    finally:
        capture.release()


def _picture(bgr: NDArray[np.uint8]) -> Picture:
    rgb = Image.fromarray(np.ascontiguousarray(bgr[:, :, ::-1]))
    return Picture(rgb, rgb.mode)
