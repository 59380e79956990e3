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
from facial_expression.inference.sources import Source, broken
from facial_expression.pictures.images import Picture

if TYPE_CHECKING:
    import cv2


def video(path: str, every: int = 1, limit: int | None = None) -> Iterator[Source]:
    """Every `every`-th frame of a video file, from the first, `limit` of them at most.

    Frames are turned upright as the file asks for.  A file without a frame that can be decoded, or
    that has been cut, gives one source more that cannot be read.
    """
    given = 0
    for source in _frames(_open(path), path, every, limit):
        given += 1
        yield source
    if not given:
        yield broken(path, "not a video that can be decoded")
    elif given != limit and (missing := missing_bytes(Path(path))):
        yield broken(path, f"cut: at least {missing:,} bytes and their frames are missing")


def camera(index: int, every: int = 1, limit: int | None = None) -> Iterator[Source]:
    """Frames of a camera as they come, until it ends or `limit` are given.

    Raises:
        SourceError: there is no such camera.
    """
    capture = _open(index)
    if not capture.isOpened():
        raise SourceError(
            f"camera {index}: found none that can be opened; name another one with --camera INDEX, "
            "and see whether you may use it"
        )
    yield from _frames(capture, f"camera:{index}", every, limit)


def _open(place: str | int) -> cv2.VideoCapture:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what goes wrong is said in one line
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if isinstance(place, str):
        return cv2.VideoCapture(place, cv2.CAP_FFMPEG)  # others take "%d" for numbered files
    capture = cv2.VideoCapture(place)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what it shows now, not what it showed
    return capture


def _frames(
    capture: cv2.VideoCapture, name: str, every: int, limit: int | None
) -> Iterator[Source]:
    try:
        number = given = 0
        while given != limit and capture.grab():
            if number % every == 0:
                decoded, blue_first = capture.retrieve()
                if not decoded:
                    return
                yield Source(name, number, partial(_picture, np.asarray(blue_first)))
                given += 1
            number += 1
    finally:
        capture.release()


def _picture(blue_first: NDArray[np.uint8]) -> Picture:
    rgb = Image.fromarray(np.ascontiguousarray(blue_first[:, :, ::-1]))
    return Picture(rgb, rgb.mode)
