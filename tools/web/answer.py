"""The server's answer about a picture: plain values, ready to become JSON."""

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
from facial_expression.inference.pipeline import Find, find_and_crop
from facial_expression.pictures.images import FORMATS, Picture, decode

PATIENCE = 30.0  # seconds that a picture waits for its turn
PREVIEW = 1600  # pixels of the preview's longer side


class BusyError(PipelineError):
    """Other pictures take too long."""


class Analyzer:
    """Analyzes one picture at a time, which bounds the memory.  Threads may share it."""

    def __init__(self, network: Network, find: Find, patience: float = PATIENCE) -> None:
        """A picture waits at most `patience` seconds for its turn."""
        self._network, self._find, self._patience = network, find, patience
        self._turn = threading.Lock()

    def analyze(self, data: bytes, whole: bool = False) -> dict[str, Any]:
        """The answer for the bytes of a picture file.

        Args:
            data: a file of one of the formats that `facial_expression.pictures.images` reads.
            whole: take the largest centred square as the only face instead of finding faces.

        Returns:
            `width`, `height` and preview (`picture`, a data URL) of the upright picture, the
            names of the `classes`, and `faces`.  Each face has its `box`, the cropped `square`, the
            `crop` as a data URL, `probabilities`, and the class activation map `activation`
            (rows, columns, classes) or None.

        Raises:
            ImageError: the picture cannot be read.
            BusyError: the wait was too long.
        """
        if not self._turn.acquire(timeout=self._patience):
            raise BusyError("the server is busy with other pictures; try again in a moment")
        try:
            return self._analyze(data, whole)
        finally:
            self._turn.release()

    def _analyze(self, data: bytes, whole: bool) -> dict[str, Any]:
        try:
            picture = decode(data)
        except ImageError as error:
            raise ImageError(f"{error}; expected a file of {', '.join(FORMATS)}") from None
        boxes, crops = find_and_crop(picture, self._network, None if whole else self._find)
        rule = CropRule(scale=1, drop=0) if whole else self._network.crop
        width, height = picture.size
        return {
            "width": width,
            "height": height,
            "picture": _preview(picture),
            "classes": list(self._network.classes),
            "faces": self._faces((width, height), boxes, rule, crops) if crops else [],
        }

    def _faces(
        self,
        size: tuple[int, int],
        boxes: list[Box],
        rule: CropRule,
        crops: list[NDArray[np.uint8]],
    ) -> list[dict[str, Any]]:
        output = self._network.predict(np.stack(crops))
        maps = [None] * len(crops) if output.activation is None else output.activation.tolist()
        probabilities = output.probabilities.tolist()
        return [
            {
                "box": asdict(box.clipped(size)),
                "square": dict(zip(("left", "top", "side"), rule.square(box), strict=True)),
                "crop": _data_url(Image.fromarray(pixels), "PNG"),
                "probabilities": shares,
                "activation": activation,
            }
            for box, pixels, shares, activation in zip(
                boxes, crops, probabilities, maps, strict=True
            )
        ]


def _preview(picture: Picture) -> str:
    """The upright picture, reduced: not every browser shows every format or EXIF orientation."""
    size = picture.rgb.size
    scale = min(1, PREVIEW / max(size))
    width, height = (max(round(scale * side), 1) for side in size)
    return _data_url(picture.rgb.resize((width, height), reducing_gap=2), "JPEG")


def _data_url(image: Image.Image, kind: str) -> str:
    stream = io.BytesIO()
    image.save(stream, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
