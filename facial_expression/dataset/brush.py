"""How a portrait looks, and the brush that draws shapes in face coordinates on a turned head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from facial_expression.dataset.faces import Points

SIDE = 48
HAIR_STYLES = ("bald", "crop", "parting", "fringe", "long", "curls")

_ANGLES = np.linspace(0.0, 2.0 * np.pi, 28, endpoint=False)
CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
"""Points (28, 2) of the unit circle."""


@dataclass(frozen=True)
class Looks:
    """All of a portrait but geometry and expression; tones are grey levels 0 to 255."""

    skin: float
    hair: float
    backdrop: float
    clothes: float
    style: str
    parting: float  # where the hair parts, -1 left to 1 right
    beard: str  # "", "stubble", "moustache" or "full"
    glasses: bool
    age: float  # 0 young, 1 old: how much folds show
    light: tuple[float, float]  # direction: rightwards, downwards
    yaw: float  # radians, and so are pitch and roll
    pitch: float
    roll: float
    scale: float
    shift: tuple[float, float]
    gaze: float
    blur: float  # radius of the lens, pixels
    noise: float  # standard deviation of the sensor, grey levels
    exposure: float


def looks(rng: np.random.Generator) -> Looks:
    """Appearance, pose, light and camera, drawn at random."""
    draw = rng.uniform
    skin = draw(95, 212)
    hair = draw(22, 70) if rng.random() < 0.75 else draw(110, 205)
    if abs(hair - skin) < 40:
        hair = skin - 55
    return Looks(
        skin=skin,
        hair=hair,
        backdrop=draw(20, 225),
        clothes=draw(25, 230),
        style=str(rng.choice(HAIR_STYLES, p=(0.07, 0.25, 0.2, 0.14, 0.22, 0.12))),
        parting=draw(-0.7, 0.7),
        beard=str(rng.choice(("", "stubble", "moustache", "full"), p=(0.78, 0.1, 0.04, 0.08))),
        glasses=bool(rng.random() < 0.12),
        age=draw(0.0, 1.0) ** 1.5,
        light=(draw(-0.75, 0.75), draw(-0.6, 0.1)),
        yaw=float(np.clip(rng.normal(0.0, 0.13), -0.3, 0.3)),
        pitch=float(np.clip(rng.normal(0.0, 0.07), -0.16, 0.16)),
        roll=float(np.clip(rng.normal(0.0, 0.07), -0.2, 0.2)),
        scale=draw(0.92, 1.06),
        shift=(draw(-1.6, 1.6), draw(-1.4, 1.4)),
        gaze=float(np.clip(rng.normal(0.0, 0.4), -1.0, 1.0)),
        blur=draw(0.0, 0.7),
        noise=draw(1.0, 7.0),
        exposure=draw(0.85, 1.12),
    )


class Brush:
    """Draws shapes given in face coordinates on a canvas with `zoom` times the resolution.

    A point of the face lies on an ellipsoid (plus `lift`), which yaw, pitch and roll turn.
    """

    def __init__(self, look: Looks, zoom: int, tone: int) -> None:
        self.image = Image.new("L", (SIDE * zoom, SIDE * zoom), tone)
        self._draw = ImageDraw.Draw(self.image)
        cos, sin = np.cos(look.roll), np.sin(look.roll)
        turn = np.array([[cos, -sin], [sin, cos]]) @ np.array(
            [
                [np.cos(look.yaw), 0.0, np.sin(look.yaw)],
                [0.0, np.cos(look.pitch), np.sin(look.pitch)],
            ]
        )
        self._turn = turn * look.scale * zoom
        self._middle = (np.array([24.0, 24.5]) + look.shift) * zoom

    def place(self, points: Points, lift: float = 0.0) -> list[tuple[int, int]]:
        """Face coordinates (n, 2) -> canvas pixels, whole numbers as polygons want them."""
        x, y = points[:, 0], points[:, 1]
        depth = 15.0 * np.sqrt(np.maximum(0.0, 1.0 - (x / 19.0) ** 2 - (y / 27.0) ** 2)) + lift
        placed = np.rint(self._turn @ np.stack([x, y, depth]) + self._middle[:, None]).astype(int)
        return list(zip(*placed.tolist(), strict=True))

    def fill(self, points: Points, tone: float, lift: float = 0.0) -> None:
        """A filled polygon."""
        self._draw.polygon(self.place(points, lift), fill=_grey(tone))

    def disc(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        tone: float,
        lift: float = 0.0,
    ) -> None:
        """A filled ellipse."""
        self.fill(CIRCLE * radii + centre, tone, lift)

    def stroke(
        self, points: Points, width: float, tone: float, lift: float = 0.0, ends: float = 0.35
    ) -> None:
        """A line through points (n, 2), thinner at its ends."""
        along = np.gradient(points, axis=0)
        across = (
            along[:, ::-1]
            * (1.0, -1.0)
            / np.maximum(np.sqrt((along**2).sum(1, keepdims=True)), 1e-6)
        )
        t = np.linspace(-1.0, 1.0, len(points))[:, None]
        half = across * (width / 2) * (1.0 - (1.0 - ends) * t**2)
        self.fill(np.concatenate([points + half, (points - half)[::-1]]), tone, lift)


def _grey(tone: float) -> int:
    return int(min(255, max(0, round(tone))))


def span(start: Points, middle: Points, end: Points, power: float = 2.0, count: int = 13) -> Points:
    """A curve (count, 2) from start to end whose middle bulges out to `middle`; 2 is a parabola."""
    t = np.linspace(-1.0, 1.0, count)[:, None]
    bulge = middle - (start + end) / 2
    return start + (end - start) * (t + 1) / 2 + bulge * (1.0 - np.abs(t) ** power)
