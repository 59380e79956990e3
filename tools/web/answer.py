"""What the page is told about a picture: plain values, ready to become JSON."""

from __future__ import annotations

import base64
import io
import threading
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ImageError, PipelineError
from facial_expression.inference.boxes import Box, CropRule
from facial_expression.inference.network import Network
from facial_expression.inference.pipeline import Face, Find, cut
from facial_expression.pictures.images import FORMATS, Picture, decode

PATIENCE = 30.0  # seconds that a picture waits for its turn
SHOWN = 1600  # pixels of the longer side of what the page shows
SQUARE = ("left", "top", "side")
SURE = {0.9: "very sure", 0.7: "fairly sure", 0.5: "leaning one way", 0.0: "unsure"}


class BusyError(PipelineError):
    """Other pictures are being looked at for too long."""


class Analyst:
    """Finds faces and says what they express, one picture at a time: so memory stays bounded."""

    def __init__(
        self,
        network: Network,
        find: Find,
        patience: float = PATIENCE,
    ) -> None:
        """Keep what answers; a picture waits at most `patience` seconds for its turn."""
        self._network, self._find, self._patience = network, find, patience
        self._turn = threading.Lock()

    def look(self, data: bytes, as_one: bool = False) -> dict[str, Any]:
        """The answer for the bytes of a picture file.

        Args:
            data: of one of the formats that `facial_expression.pictures.images` reads.
            as_one: take the largest centred square for the face instead of looking for faces.

        Returns:
            `width` and `height` of the upright `picture`, itself a data URL; for each of `faces`
            its `box`, the `square` that was cut out, the `crop` as a data URL, probabilities, their
            entropy in nats, how `sure` that is in words, and the class activation map (rows,
            columns, classes) or None.

        Raises:
            ImageError: the picture cannot be read.
            BusyError: it did not get its turn.
        """
        if not self._turn.acquire(timeout=self._patience):
            raise BusyError("other pictures are being looked at; try again in a moment")
        try:
            return self._look(data, as_one)
        finally:
            self._turn.release()

    def _look(self, data: bytes, as_one: bool) -> dict[str, Any]:
        try:
            picture = decode(data)
        except ImageError as error:
            raise ImageError(f"{error}; expected a file of {', '.join(FORMATS)}") from None
        boxes, crops = cut(picture, self._network, None if as_one else self._find)
        rule = CropRule(scale=1, drop=0) if as_one else self._network.crop
        width, height = picture.upright.size
        return {
            "width": width,
            "height": height,
            "picture": _preview(picture),
            "classes": list(self._network.classes),
            "faces": self._faces(boxes, rule, crops) if crops else [],
        }

    def _faces(
        self, boxes: list[Box], rule: CropRule, crops: list[NDArray[np.uint8]]
    ) -> list[dict[str, Any]]:
        output = self._network.predict(np.stack(crops))
        maps = [None] * len(crops) if output.activation is None else output.activation.tolist()
        faces = map(Face, boxes, output.probabilities)
        return [
            {
                "box": asdict(face.box),
                "square": dict(zip(SQUARE, rule.square(face.box), strict=True)),
                "crop": _data_url(Image.fromarray(pixels), "PNG"),
                "probabilities": face.probabilities.tolist(),
                "entropy": face.entropy,
                "sure": sureness(face),
                "activation": evidence,
            }
            for face, pixels, evidence in zip(faces, crops, maps, strict=True)
        ]


def sureness(face: Face) -> str:
    """How sure the network is, in words.

    >>> sureness(Face(Box(0, 0, 1, 1, 1), np.float32([0.5, 0.5])))
    'leaning one way (entropy 0.69 nats: like a draw among 2.0 equally likely expressions)'
    """
    words = next(text for least, text in SURE.items() if face.probabilities.max() >= least)
    choices = np.exp(face.entropy)  # the perplexity
    draw = f"like a draw among {choices:.1f} equally likely expressions"
    return f"{words} (entropy {face.entropy:z.2f} nats: {draw})"


def _preview(picture: Picture) -> str:
    """The picture as it was read: upright, which not every browser shows, and not too large."""
    whole_size = picture.rgb.size
    scale = min(1, SHOWN / max(whole_size))
    width, height = (max(round(scale * side), 1) for side in whole_size)
    return _data_url(picture.rgb.resize((width, height), reducing_gap=2), "JPEG")


def _data_url(image: Image.Image, kind: str) -> str:
    stream = io.BytesIO()
    image.save(stream, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
