"""The box of a face, and the rule that crops it as the training pictures are cropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Box:
    """A face on an upright picture; `x, y, width, height = box` takes it apart.

    Attributes:
        left, top: pixels from the picture's upper left corner.
        width, height: pixels, above 0.
        score: confidence of the detector, 0 to 1; comparable within one detector only.
    """

    left: float
    top: float
    width: float
    height: float
    score: float

    def __iter__(self) -> Iterator[float]:
        return iter((self.left, self.top, self.width, self.height))

    def scaled(self, factor: float) -> Box:
        """The same place on a picture whose sides are `factor` times as long."""
        left, top = factor * self.left, factor * self.top
        return Box(left, top, factor * self.width, factor * self.height, self.score)

    def clipped(self, size: tuple[int, int]) -> Box:
        """The part of the box that lies on a picture of `size` (width, height)."""
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.left + self.width, size[0]), min(self.top + self.height, size[1])
        return replace(self, left=left, top=top, width=right - left, height=bottom - top)


def reading_order(boxes: Iterable[Box]) -> list[Box]:
    """Row by row from the top, each row from left to right.

    A row begins with the box of the highest centre; it holds every box whose centre is above that
    box's lower edge.
    """
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.top + box.height / 2):
        if not rows or box.top + box.height / 2 > rows[-1][0].top + rows[-1][0].height:
            rows.append([])
        rows[-1].append(box)
    return [box for row in rows for box in sorted(row, key=lambda box: box.left + box.width / 2)]


@dataclass(frozen=True)
class CropRule:
    """The square to crop, from a detector's box.

    Attributes:
        scale: side of the square divided by the square root of the box's area.
        drop: distance from the box's centre down to the square's, in sides of the square.
    """

    scale: float
    drop: float

    def square(self, box: Box) -> tuple[float, float, float]:
        """Left, top and side of the square in pixels; it may reach beyond the picture."""
        side = self.scale * sqrt(box.width * box.height)
        left = box.left + (box.width - side) / 2
        top = box.top + (box.height - side) / 2 + self.drop * side
        return left, top, side


def crop(picture: Image.Image, box: Box, rule: CropRule, side: int) -> NDArray[np.uint8]:
    """Crop the face in `box` by `rule`: uint8 (side, side).

    Beyond the picture, its edge is repeated.  Resampled with Pillow's Lanczos filter, as the
    training pictures are (`facial_expression.pictures.images`).

    Args:
        picture: upright picture of mode "L" or "RGB".
        box: its centre must lie on the picture.
        rule: from box to square.
        side: pixels of the result.
    """
    left, top, edge = rule.square(box)
    first_x, first_y = int(np.floor(left)), int(np.floor(top))
    last_x, last_y = int(np.ceil(left + edge)), int(np.ceil(top + edge))
    inside = (
        max(first_x, 0), max(first_y, 0),
        min(max(last_x, 1), picture.width), min(max(last_y, 1), picture.height),
    )  # fmt: skip
    beyond = (
        (inside[1] - first_y, last_y - inside[3]),
        (inside[0] - first_x, last_x - inside[2]),
    )
    pixels = np.pad(np.asarray(picture.crop(inside).convert("L")), beyond, mode="edge")
    window = (left - first_x, top - first_y, left - first_x + edge, top - first_y + edge)
    cut = Image.fromarray(pixels)
    return np.asarray(cut.resize((side, side), Image.Resampling.LANCZOS, box=window))
