"""What the page is told about a picture: plain values, ready to become JSON."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.dataset.images import FORMATS, Picture, decode, square
from facial_expression.errors import ImageError, PipelineError
from facial_expression.inference.boxes import Box, crop
from facial_expression.inference.network import Network

PATIENCE = 30.0  # seconds that a picture waits for its turn
SHOWN = 1600  # pixels of the longer side of what the page shows
SURE = {0.9: "very sure", 0.7: "fairly sure", 0.5: "leaning one way", 0.0: "unsure"}


class BusyError(PipelineError):
    """Other pictures are being looked at for too long."""


class Analyst:
    """Finds faces and says what they express, one picture at a time: so memory stays bounded."""

    def __init__(
        self,
        network: Network,
        find: Callable[[Image.Image], list[Box]],
        patience: float = PATIENCE,
    ) -> None:
        """Keep what answers; a picture waits at most `patience` seconds for its turn."""
        self._network, self._find, self._patience = network, find, patience
        self._turn = threading.Lock()

    def look(self, data: bytes, whole: bool = False) -> dict[str, Any]:
        """The answer for the bytes of a picture file.

        Args:
            data: of one of the formats that `facial_expression.dataset.images` reads.
            whole: take the largest centred square for the face instead of looking for faces.

        Returns:
            `width` and `height` of the upright `picture`, itself a data URL; for each of `faces`
            the square that was cut out, the detector's `box` (None if `whole`), the `crop` as a
            data URL, probabilities, their entropy in nats, how `sure` that is in words, and the
            class activation map (rows, columns, classes) or None.

        Raises:
            ImageError: the picture cannot be read.
            BusyError: it did not get its turn.
        """
        if not self._turn.acquire(timeout=self._patience):
            raise BusyError("other pictures are being looked at; try again in a moment")
        try:
            return self._look(data, whole)
        finally:
            self._turn.release()

    def _look(self, data: bytes, whole: bool) -> dict[str, Any]:
        try:
            picture = decode(data)
        except ImageError as error:
            raise ImageError(f"{error}; expected a file of {', '.join(FORMATS)}") from None
        width, height = picture.grey.size
        boxes: list[Box | None] = [None] if whole else [*self._find(picture.rgb)]
        return {
            "width": width,
            "height": height,
            "picture": _preview(picture),
            "classes": list(self._network.classes),
            "faces": self._faces(picture, boxes) if boxes else [],
        }

    def _faces(self, picture: Picture, boxes: list[Box | None]) -> list[dict[str, Any]]:
        side, rule = self._network.side, self._network.crop
        crops = [
            crop(picture.grey, box, rule, side) if box else square(picture, side) for box in boxes
        ]
        output = self._network.predict(np.stack(crops))
        maps = output.activation
        faces = []
        for row, (box, pixels) in enumerate(zip(boxes, crops, strict=True)):
            left, top, edge = rule.square(box) if box else _centred(*picture.grey.size)
            shares = output.probabilities[row].astype(np.float64)
            faces.append(
                {
                    "square": {"left": left, "top": top, "side": edge},
                    "box": asdict(box) if box else None,
                    "crop": _data_url(Image.fromarray(pixels), "PNG"),
                    "probabilities": shares.tolist(),
                    "entropy": entropy(shares),
                    "sure": sureness(shares),
                    "activation": None if maps is None else maps[row].tolist(),
                }
            )
        return faces


def entropy(shares: NDArray[np.float64]) -> float:
    """Of probabilities (classes,), in nats: 0 where one is sure, log(classes) where all are equal.

    >>> entropy(np.array([0.0, 1.0]))
    0.0
    """
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum()) + 0.0  # no negative zero


def sureness(shares: NDArray[np.float64]) -> str:
    """How sure probabilities (classes,) are, in words.

    >>> sureness(np.array([0.5, 0.5]))
    'leaning one way (entropy 0.69 nats: like a draw among 2.0 equally likely expressions)'
    """
    words = next(text for least, text in SURE.items() if shares.max() >= least)
    nats = entropy(shares)
    draw = f"like a draw among {np.exp(nats):.1f} equally likely expressions"  # the perplexity
    return f"{words} (entropy {nats:.2f} nats: {draw})"


def _centred(width: int, height: int) -> tuple[float, float, float]:
    edge = min(width, height)
    return (width - edge) // 2, (height - edge) // 2, edge


def _preview(picture: Picture) -> str:
    """The picture as it was read: upright, which not every browser shows, and not too large."""
    small = picture.rgb.copy()
    small.thumbnail((SHOWN, SHOWN))
    return _data_url(small, "JPEG")


def _data_url(image: Image.Image, kind: str) -> str:
    stream = io.BytesIO()
    image.save(stream, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
