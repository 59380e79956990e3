"""A brush that draws in the coordinates of a face, whatever the pose of the head.

Corners of polygons are rounded to whole canvas pixels before Pillow fills them, so that another
processor's rounding errors change nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from facial_expression.sample.faces import Points

SIDE = 48  # pixels of a picture's side
HEAD = (19.0, 27.0, 15.0)  # half axes, in pixels, of the ellipsoid that a face's points lie on
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 28, endpoint=False)
CIRCLE: Points = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)  # as a polygon (28, 2)


def arc(start: ArrayLike, middle: ArrayLike, end: ArrayLike, power: float = 2.0) -> Points:
    """A curve (13, 2) from `start` by `middle` to `end`.

    `power` is 2 for a parabola; 2.5 and 3 are flatter in the middle and steeper at the ends.
    """
    t = np.linspace(-1.0, 1.0, 13)[:, None]
    a, b, c = np.asarray(start, float), np.asarray(middle, float), np.asarray(end, float)
    return a + (c - a) * ((t + 1.0) / 2.0) + (b - (a + c) / 2.0) * (1.0 - np.abs(t) ** power)


@dataclass(frozen=True)
class Pose:
    """The pose of a head; angles in radians."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    middle: tuple[float, float]  # of the head, in pixels of the picture


class Brush:
    """Draws on `image`, which has `zoom` times the picture's side and is filled with `tone`.

    Every shape is given in face coordinates (n, 2) and lies on the head's ellipsoid, or `lift`
    pixels above it; the pose turns it.  Tones are grey levels and are clipped to [0, 255].
    """

    def __init__(self, pose: Pose, zoom: int, tone: float) -> None:
        self.image = Image.new("L", (SIDE * zoom, SIDE * zoom), _grey(tone))
        self._draw = ImageDraw.Draw(self.image)
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        yaw, pitch = pose.yaw, pose.pitch
        turned = [[np.cos(yaw), 0.0, np.sin(yaw)], [0.0, np.cos(pitch), np.sin(pitch)]]
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
        along = np.gradient(line, axis=0)
        length = np.linalg.norm(along, axis=1, keepdims=True)
        across = along[:, ::-1] * (1.0, -1.0) / np.maximum(length, 1e-6)
        t = np.linspace(-1.0, 1.0, len(line))[:, None]
        half = across * (width / 2.0 * (1.0 - (1.0 - ends) * t**2))
        self.between(line + half, line - half, tone, lift)


def _grey(tone: float) -> int:
    return int(min(255, max(0, round(tone))))
