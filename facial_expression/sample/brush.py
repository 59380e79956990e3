"""A brush that draws in the coordinates of a face, whatever the pose of the head.

Corners of polygons are rounded to whole canvas pixels before Pillow fills them, so that another
processor's rounding errors change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

Points = NDArray[np.float64]

SIDE = 48
"""Pixels of a picture's side."""

HEAD = (19.0, 27.0, 15.0)
"""Half axes, in pixels, of the ellipsoid that the points of a face lie on."""

_ANGLES = np.linspace(0.0, 2.0 * np.pi, 28, endpoint=False)
CIRCLE: Points = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
"""The unit circle as a closed polygon (28, 2)."""

_COUNT = 13
_T = np.linspace(-1.0, 1.0, _COUNT)
_ALONG = (_T[:, None] + 1.0) / 2.0
_BULGE = {power: 1.0 - np.abs(_T[:, None]) ** power for power in (2.0, 2.5, 3.0, 4.0)}


def xy(x: float, y: float) -> Points:
    """A point or an offset, as an array (2,)."""
    return np.array([x, y])


def arc(start: ArrayLike, middle: ArrayLike, end: ArrayLike, power: float = 2.0) -> Points:
    """A curve (13, 2) from `start` by `middle` to `end`.

    `power` is 2 for a parabola; 2.5, 3 and 4 are flatter in the middle and steeper at the ends.
    """
    a, b, c = np.asarray(start, float), np.asarray(middle, float), np.asarray(end, float)
    return a + (c - a) * _ALONG + (b - (a + c) / 2.0) * _BULGE[power]


@dataclass(frozen=True)
class Pose:
    """The pose of a head; angles in radians, the shift in pixels."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the head, in pixels of the picture."""
        return 24.0 + self.shift[0], 24.5 + self.shift[1]


class Brush:
    """Draws on `image`, which has `zoom` times the picture's side and is filled with `tone`.

    Every shape is given in face coordinates (n, 2) and lies on the head's ellipsoid, or `lift`
    pixels above it; the pose turns it.  Tones are grey levels and are clipped to [0, 255].
    """

    def __init__(self, pose: Pose, zoom: int, tone: float) -> None:
        self.image = Image.new("L", (SIDE * zoom, SIDE * zoom), _grey(tone))
        self._draw = ImageDraw.Draw(self.image)
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        turned = np.array(
            [
                [np.cos(pose.yaw), 0.0, np.sin(pose.yaw)],
                [0.0, np.cos(pose.pitch), np.sin(pose.pitch)],
            ]
        )
        matrix = np.array([[cos, -sin], [sin, cos]]) @ turned * (pose.scale * zoom)
        self._flat, self._deep = matrix[:, :2].T, matrix[:, 2]
        self._middle = np.array(pose.middle) * zoom

    def fill(self, points: ArrayLike, tone: float, lift: float = 0.0) -> None:
        """A filled polygon."""
        flat = np.asarray(points, float)
        height = 1.0 - ((flat / HEAD[:2]) ** 2).sum(axis=1)
        depth = HEAD[2] * np.sqrt(np.maximum(0.0, height)) + lift
        placed = flat @ self._flat + depth[:, None] * self._deep + self._middle
        self._draw.polygon(np.rint(placed).ravel().tolist(), fill=_grey(tone))

    def between(self, one: Points, other: Points, tone: float, lift: float = 0.0) -> None:
        """The area between two curves that run the same way."""
        self.fill(np.concatenate([one, other[::-1]]), tone, lift)

    def disc(self, centre: ArrayLike, radii: ArrayLike, tone: float, lift: float = 0.0) -> None:
        """A filled ellipse."""
        self.fill(CIRCLE * np.asarray(radii) + np.asarray(centre), tone, lift)

    def stroke(
        self, points: ArrayLike, width: float, tone: float, lift: float = 0.0, ends: float = 0.35
    ) -> None:
        """A line through points (n, 2), narrowing to `ends` of its width."""
        line = np.asarray(points, float)
        along = np.empty_like(line)
        along[1:-1] = line[2:] - line[:-2]
        along[0], along[-1] = line[1] - line[0], line[-1] - line[-2]
        length = np.sqrt((along**2).sum(axis=1, keepdims=True))
        across = along[:, ::-1] * (1.0, -1.0) / np.maximum(length, 1e-6)
        t = np.linspace(-1.0, 1.0, len(line))[:, None]
        half = across * (width / 2.0 * (1.0 - (1.0 - ends) * t**2))
        self.between(line + half, line - half, tone, lift)


def _grey(tone: float) -> int:
    return int(min(255, max(0, round(tone))))
