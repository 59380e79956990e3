"""A portrait: a face with looks, pose and light, as a grey 48x48 picture."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from facial_expression.sample import features
from facial_expression.sample.brush import HEAD, SIDE, Brush, Pose, arc
from facial_expression.sample.faces import ACTION_UNITS, OUTWARDS, Identity, Points, landmarks

FINE = 5  # canvas pixels a picture pixel, for the features
SOFT = 2  # the same for the shadows, which are blurred

HAIRLINES: dict[str, list[tuple[float, float]]] = {
    "bald": [],
    "receding": [(-1.02, -4), (-0.92, -6), (-0.86, -13), (-0.5, -19), (0, -17.5), (0.5, -19)],
    "crop": [(-1.02, -1), (-0.92, -3), (-0.86, -10), (-0.6, -15), (0, -16), (0.6, -15)],
    "curls": [(-1.02, -1), (-0.9, -3), (-0.84, -9), (-0.5, -13.5), (0, -14.5), (0.5, -13.5)],
    "bun": [(-1.02, -3), (-0.95, -4), (-0.88, -10), (-0.6, -16), (0, -18), (0.6, -16)],
    "parting": [(-1.02, 0), (-0.9, -4), (-0.82, -11), (-0.5, -18), (0, -15), (0.6, -12)],
    "fringe": [(-1.02, 3), (-0.88, 0), (-0.88, -9), (-0.4, -11), (0, -10.5), (0.4, -11)],
    "long": [(-1.02, 14), (-0.86, 9), (-0.84, -3), (-0.6, -11), (-0.1, -18.5), (0.6, -11)],
}
"""Styles: the edge of the hair from the left ear on, (share of the half width, y); at the right ear
the first three points are mirrored."""


@dataclass(frozen=True)
class Looks:
    """Appearance apart from geometry and expression; tones are grey levels."""

    pose: Pose
    skin: float
    hair: float
    lip: float
    backdrop: float
    clothes: float
    style: str  # one of HAIRLINES
    volume: float  # of the hair, pixels
    flip: int  # -1 mirrors the hair
    brow: float  # thickness
    beard: float  # 0 none, 0.2 stubble, 0.7 full
    glasses: bool
    age: float  # 0 young, 1 old: how much folds show at rest
    light: tuple[float, float]  # where it comes from: rightwards, downwards
    gaze: float  # of the irises to the right, pixels
    blur: float  # radius of the lens, pixels
    noise: float  # standard deviation of the sensor, grey levels
    exposure: float  # mean grey level that the camera meters the face to


def looks(rng: np.random.Generator) -> Looks:
    """Appearance, pose, light and camera, drawn at random."""
    draw = rng.uniform
    skin = draw(120, 215)
    hair = draw(20, 70) if rng.random() < 0.72 else draw(115, 200)
    if abs(hair - skin) < 40:
        hair = skin - 55
    style = list(HAIRLINES)[rng.choice(8, p=(0.05, 0.08, 0.18, 0.12, 0.1, 0.17, 0.12, 0.18))]
    bearded = style in ("bald", "receding", "crop", "parting")
    yaw, pitch, roll = np.clip(rng.normal(0.0, (0.09, 0.05, 0.05)), -0.2, 0.2).tolist()
    return Looks(
        pose=Pose(yaw, pitch, roll, draw(0.96, 1.05), (24.0 + draw(-1, 1), 24.5 + draw(-1, 1))),
        skin=skin,
        hair=hair,
        lip=skin * draw(0.6, 0.78),
        backdrop=draw(20, 225),
        clothes=draw(25, 230),
        style=style,
        volume=draw(1.2, 3.4),
        flip=int(rng.choice((-1, 1))),
        brow=draw(1.2, 2.1),
        beard=float(rng.choice((0.0, 0.2, 0.7), p=(0.6, 0.2, 0.2))) if bearded else 0.0,
        glasses=bool(rng.random() < 0.12),
        age=draw(0.0, 1.0) ** 2,
        light=(draw(-0.7, 0.7), draw(-0.6, 0.1)),
        gaze=float(np.clip(rng.normal(0.0, 0.35), -0.9, 0.9)),
        blur=draw(0.0, 0.65),
        noise=draw(1.0, 5.0),
        exposure=draw(100, 150),
    )


def portrait(
    person: Identity,
    muscles: Mapping[int, float],
    look: Looks,
    rng: np.random.Generator,
    enlarged: int = 1,
) -> NDArray[np.uint8]:
    """The finished picture, uint8 (48, 48), or `enlarged` times that side.

    `muscles` are action units -> intensity in [0, 1]; `rng` draws the edge of the hair and the
    sensor's noise.
    """
    marks, skin = landmarks(person, muscles), look.skin
    au = {**dict.fromkeys(ACTION_UNITS, 0.0), **muscles}
    brush = Brush(look.pose, FINE * enlarged, look.backdrop)
    _head(brush, person, marks, look)
    features.folds(brush, marks, au, skin, look.age)
    if look.beard:
        features.beard(brush, person, marks, skin + (look.hair - skin) * look.beard)
    features.nose(brush, marks, skin)
    features.mouth(brush, marks, skin, look.lip)
    for out, at in features.sides(marks):
        features.eye(brush, out, at, skin, look.gaze, look.light[0])
        features.brow(brush, at, look.brow, 0.85 * min(look.hair, skin * 0.62) + 0.1 * skin)
    _hair(brush, person, look, rng)
    if look.glasses:
        features.glasses(brush, marks, skin)
    shadows = Brush(look.pose, SOFT * enlarged, 128)
    features.relief(shadows, marks, au, look.light[0])
    return _develop(brush, shadows, look, rng, enlarged)


def _head(brush: Brush, person: Identity, marks: dict[str, Points], look: Looks) -> None:
    """Hair behind, neck, shoulders, ears and the skin of the face."""
    w, skin = person.half_width, look.skin
    if look.style == "long":
        wide = w + 1.5 + look.volume
        brush.disc((0, -4), (wide, 21 + look.volume), look.hair * 0.8)
        brush.fill([(-wide, -4), (wide, -4), (wide, 34), (-wide, 34)], look.hair * 0.8)
    elif look.style == "bun":
        brush.disc((0, -26), (6, 5), look.hair)
    brush.fill([(-9, 10), (9, 10), (10, 28), (14, 40), (-14, 40), (-10, 28)], skin * 0.74)
    collar = [(-10, 23), (-27, 28), (-30, 60), (30, 60), (27, 28), (10, 23), (0, 28)]
    brush.fill(collar, look.clothes)
    for ear in OUTWARDS * (w + 0.2, -0.5):
        brush.disc(ear, (2.0, 4.6), skin * 0.88)
        brush.disc(ear, (0.9, 2.8), skin * 0.72)
    brush.fill(features.outline(person, marks), skin)


def _hair(brush: Brush, person: Identity, look: Looks, rng: np.random.Generator) -> None:
    """The hair around the face; `rng` moves its edge and places the strands."""
    if look.style == "bald":
        return
    w = person.half_width
    left = np.array(HAIRLINES[look.style])
    line = np.concatenate([left, left[2::-1] * (-1.0, 1.0)]) * (w * look.flip, 1.0)
    line[3:-3] += rng.uniform(-0.7, 0.7, (len(line) - 6, 2))
    line = line[:: look.flip]  # from left to right
    angles = np.linspace(np.pi, 2.0 * np.pi, 15)
    dome = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    brush.between(dome * (w + 0.7 * look.volume, 22.5 + look.volume), line, look.hair)
    if look.style == "curls":
        for x, y in dome * (w - 0.5 + look.volume / 2, 19.0 + look.volume):
            brush.disc((x, y), rng.uniform(2.6, 3.6), look.hair * rng.uniform(0.85, 1.15) + 4)
    elif look.style == "long":
        lock = np.array([(w - 1.0, -9), (w + 3.5, -6), (w + 4, 34), (w - 4.5, 34), (w - 1.5, 14)])
        for out in OUTWARDS:
            brush.fill(lock * out, look.hair * 0.94)
    for x in rng.uniform(-0.8, 0.8, 6) * w:
        foot = np.array([x, np.interp(x, *line.T)])
        root = np.array([0.35 * x - 3.0 * look.flip, -24.0])
        bow = (root + foot) / 2 + (0.1 * x, -1.0)
        shine = rng.choice((0.76, 1.18))
        brush.stroke(arc(root, bow, foot), 0.7, look.hair * shine + rng.uniform(-4, 8))


def _develop(
    brush: Brush, shadows: Brush, look: Looks, rng: np.random.Generator, enlarged: int
) -> NDArray[np.uint8]:
    """Light, lens and sensor: two brushes -> the picture, uint8."""
    flat = np.asarray(brush.image.reduce(FINE), dtype=np.float64)
    spread = ImageFilter.GaussianBlur(1.25 * SOFT * enlarged)
    blurred = shadows.image.filter(spread).reduce(SOFT)
    bumps = (np.asarray(blurred, dtype=np.float64) - 128.0) * (look.skin / 150.0)
    pixels, (right, down) = (np.arange(SIDE * enlarged) + 0.5) / enlarged, look.pose.middle
    x = (pixels - right) / (HEAD[0] * look.pose.scale)
    y = ((pixels - down) / (HEAD[1] * look.pose.scale))[:, None]
    rim = np.maximum(1.0, np.sqrt(x**2 + y**2))  # beyond the head the light stays what it is there
    z = np.sqrt(np.maximum(0.06, 1.0 - x**2 - y**2))
    facing = (x * look.light[0] + y * look.light[1]) / rim + 0.8 * z
    lit = flat * (0.55 + 0.6 * np.maximum(facing, 0.0)) + bumps
    face = lit[10 * enlarged : 40 * enlarged, 10 * enlarged : 38 * enlarged]
    lit *= look.exposure / max(face.mean(), 1.0)
    film = Image.fromarray(np.rint(np.clip(lit, 0, 255)).astype(np.uint8))
    lens = np.asarray(film.filter(ImageFilter.GaussianBlur(look.blur * enlarged)), dtype=np.float64)
    grain = rng.normal(0.0, look.noise, lit.shape)
    return np.rint(np.clip(lens + grain, 0, 255)).astype(np.uint8)
