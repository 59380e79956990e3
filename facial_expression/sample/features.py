"""The features of a face, drawn from its landmarks: outline, beard, nose, mouth, eyes, brows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facial_expression.sample.brush import CIRCLE, Brush, Points, arc, xy
from facial_expression.sample.faces import Identity

Landmarks = Mapping[str, Points]

SIDES = ((0, -1.0), (1, 1.0))
"""Index of each side in a landmark array, and its direction away from the midline."""


def outline(person: Identity, marks: Landmarks) -> Points:
    """The edge of the face, closed (28, 2): half an ellipse above, the jaw below."""
    x, y = CIRCLE.T
    jaw = np.sign(x) * np.abs(x) ** (0.9 - 0.3 * person.jaw) * (1.0 - 0.14 * y)
    wide = person.half_width * np.where(y > 0, jaw, x)
    tall = np.where(y > 0, marks["chin"][0, 1] * np.abs(y) ** 0.9, 23.0 * y)
    return np.stack([wide, tall], axis=1)


def beard(brush: Brush, person: Identity, marks: Landmarks, tone: float) -> None:
    """A full beard or stubble, moustache included; the mouth is drawn on top of it."""
    edge = outline(person, marks)
    edge = edge[edge[:, 1] > 0.5]  # from the right ear by the chin to the left
    w, (_, y), (x, _) = person.half_width, marks["lip_top"][0], marks["lip_corner"][1]
    half = [(0.9 * w, 2.0), (0.84 * w, 7.0), (x + 3.2, y - 0.2), (x + 0.6, y - 2.0), (2.0, y - 3.0)]
    right = np.array(half)
    inner = np.concatenate([right * (-1.0, 1.0), [(0.0, y - 2.3)], right[::-1]])
    brush.fill(np.concatenate([edge, inner]), tone)


def nose(brush: Brush, marks: Landmarks, skin: float) -> None:
    """Nostrils, wings and the shadow under the tip."""
    left, right = marks["nose_wing"]
    for (x, y), (_, out) in zip((left, right), SIDES, strict=True):
        brush.disc((x - out * 1.35, y + 0.75), (0.95, 0.6), skin * 0.33, 3.0)
        wing = [(x - out * 0.5, y - 1.9), (x + out * 0.15, y - 0.6), (x - out * 0.3, y + 0.7)]
        brush.stroke(wing, 0.7, skin * 0.66, 1.5)
    tip = marks["nose_tip"][0] + xy(0.0, 1.5)
    brush.stroke(arc(left + xy(1.6, 0.9), tip, right + xy(-1.6, 0.9)), 0.6, skin * 0.66, 3.0)


def mouth(brush: Brush, marks: Landmarks, skin: float, lip: float) -> None:
    """Lips, and between parted ones the teeth, the dark of the mouth and the tongue."""
    left, right = marks["lip_corner"]
    gap = marks["lower_lip"][0, 1] - marks["upper_lip"][0, 1]
    power = 2.0 if gap < 1.0 else 2.5 if gap < 3.0 else 3.0
    names = ("lip_top", "upper_lip", "lower_lip", "lip_bottom")
    top, upper, lower, bottom = (arc(left, marks[name][0], right, power) for name in names)
    t = np.abs(np.linspace(-1.0, 1.0, len(top)))
    top[:, 1] += np.interp(t, (0.0, 0.17, 0.33, 0.6), (0.4, 0.0, -0.25, 0.0))  # Cupid's bow
    brush.between(top, upper, lip * 0.86)
    brush.between(lower, bottom, lip * 1.06)
    if gap > 0.6:
        brush.between(upper, lower, 26)
        bare = min(0.8 * gap, 2.2) * (1.0 - 0.4 * min(1.0, max(0.0, gap - 2.5) / 2.0))
        edge = np.minimum(upper + xy(0.0, bare), lower)
        brush.between(upper[2:-2], edge[2:-2], min(240.0, skin * 0.45 + 135))
        if gap > 3.0:
            tongue = arc(lower[3], lower[6] - xy(0.0, 0.5 * gap), lower[-4], 3.0)
            brush.between(tongue, lower[3:-3], skin * 0.46)
    else:
        brush.stroke((upper + lower) / 2, 0.75, skin * 0.3, ends=0.6)
    for (x, y), inwards in ((left, 0.2), (right, -0.2)):
        brush.disc((x + inwards, y), (0.5, 0.45), skin * 0.38)


def eye(brush: Brush, marks: Landmarks, side: int, skin: float, gaze: float, light: float) -> None:
    """Lids with their crease and lashes, the white, iris and pupil, and a glint of the light."""
    inner, outer = marks["inner_eye"][side], marks["outer_eye"][side]
    start, end = (outer, inner) if side == 0 else (inner, outer)  # from left to right
    upper = arc(start, marks["upper_lid"][side], end, 2.5)
    lower = arc(start, marks["lower_lid"][side], end)
    crease = upper - xy(0.0, 1.4)
    brush.between(crease, upper, skin * 0.9)
    brush.between(upper, lower, min(250.0, 0.4 * skin + 165))
    iris = marks["iris"][side] + xy(gaze, 0.0)
    for radius, tone in ((2.05, 58.0), (1.05, 12.0)):
        x, y = (CIRCLE * radius + iris).T
        y = np.maximum(y, np.interp(x, upper[:, 0], upper[:, 1]))  # the lids cut it off
        y = np.minimum(y, np.interp(x, lower[:, 0], lower[:, 1]))
        brush.fill(np.stack([x, y], axis=1), tone)
    glint = iris + xy(0.6 if light > 0 else -0.6, -0.6)
    if marks["upper_lid"][side, 1] < glint[1] - 0.2:
        brush.disc(glint, (0.45, 0.45), 245)
    brush.stroke(crease, 0.5, skin * 0.68)
    tail = outer + xy((-0.6, 0.6)[side], -0.1)
    lashes = np.vstack([tail, upper] if side == 0 else [upper, tail])
    brush.stroke(lashes, 0.95, min(skin * 0.25, 45.0), ends=0.7)
    brush.stroke(lower, 0.5, skin * 0.6)


def brow(brush: Brush, marks: Landmarks, side: int, thickness: float, tone: float) -> None:
    """A brow, thick near the nose and thin outside."""
    names = ("inner_brow", "middle_brow", "outer_brow")
    curve = arc(*(marks[name][side] for name in names))
    t = np.linspace(0.0, 1.0, len(curve))[:, None]
    half = thickness / 2.0 * (1.0 - 0.7 * t * np.sqrt(t)) * (0.0, 1.0)
    brush.between(curve - half, curve + half, tone)


def glasses(brush: Brush, marks: Landmarks, skin: float) -> None:
    """Rims, temples and bridge of a pair of glasses."""
    rim = 28.0 if skin > 130 else 12.0
    ring = np.concatenate([CIRCLE, CIRCLE[:1]])
    ring = np.sign(ring) * np.abs(ring) ** 0.75 * (5.0, 4.2)
    left, right = marks["iris"] + xy(0.0, 0.5)
    for centre, (_, out) in zip((left, right), SIDES, strict=True):
        brush.stroke(ring + centre, 0.75, rim, 1.5, ends=1.0)
        temple = np.stack([centre + xy(out * 5.0, -0.8), centre + xy(out * 9.5, -1.2)])
        brush.stroke(temple, 0.75, rim, ends=1.0)
    bridge = arc(left + xy(5.0, -0.3), (left + right) / 2 - xy(0.0, 1.2), right - xy(5.0, 0.3))
    brush.stroke(bridge, 0.75, rim, 2.0, ends=1.0)
