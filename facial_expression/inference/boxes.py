"""Where a face is, and the rule that cuts it out as the training pictures are framed."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Box:
    """A face on an upright picture.

    Attributes:
        left, top: pixels from the picture's corner.
        width, height: pixels, above 0.
        score: how sure the detector is; only scores of one detector compare.
    """

    left: float
    top: float
    width: float
    height: float
    score: float


@dataclass(frozen=True)
class CropRule:
    """The square to cut out, from a detector's box.

    Attributes:
        scale: side of the square over the square root of the box's area.
        drop: how far the square's centre lies below the box's, in sides of the square.
    """

    scale: float
    drop: float

    def square(self, box: Box) -> tuple[float, float, float]:
        """Left, top and side of the square, in pixels; it may reach beyond the picture."""
        side = self.scale * sqrt(box.width * box.height)
        left = box.left + (box.width - side) / 2
        top = box.top + (box.height - side) / 2 + self.drop * side
        return left, top, side


def crop(grey: Image.Image, box: Box, rule: CropRule, side: int) -> NDArray[np.uint8]:
    """The face in `box`, cut out by `rule`: uint8 (side, side).

    What lies beyond the picture repeats its edge.  Resampled like every other picture, with
    Pillow's Lanczos filter (`facial_expression.pictures.images`).

    Args:
        grey: upright, of mode "L".
        box: with its centre on the picture.
        rule: see there.
        side: pixels of the result.
    """
    left, top, edge = rule.square(box)
    first_x, first_y = int(np.floor(left)), int(np.floor(top))
    last_x, last_y = int(np.ceil(left + edge)), int(np.ceil(top + edge))
    inside = (
        max(first_x, 0), max(first_y, 0),
        min(max(last_x, 1), grey.width), min(max(last_y, 1), grey.height),
    )  # fmt: skip
    pixels = np.asarray(grey.crop(inside))
    beyond = (
        (inside[1] - first_y, last_y - inside[3]),
        (inside[0] - first_x, last_x - inside[2]),
    )
    if any(amount for pair in beyond for amount in pair):
        pixels = np.pad(pixels, beyond, mode="edge")
    window = (left - first_x, top - first_y, left - first_x + edge, top - first_y + edge)
    cut = Image.fromarray(pixels)
    return np.asarray(cut.resize((side, side), Image.Resampling.LANCZOS, box=window))
