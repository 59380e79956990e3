"""The features of a face, its folds and its relief, drawn from its landmarks."""

from collections.abc import Iterator, Mapping

import numpy as np

from facial_expression.sample.brush import CIRCLE, Brush, arc
from facial_expression.sample.faces import OUTWARDS, Identity, Points

Landmarks = Mapping[str, Points]
Muscles = Mapping[int, float]
"""Every action unit -> intensity in [0, 1]."""


def sides(marks: Landmarks) -> Iterator[tuple[Points, Landmarks]]:
    """The picture's left side, then its right: row of `OUTWARDS`, and landmarks as points (2,)."""
    for side, out in enumerate(OUTWARDS):
        yield out, {name: points[side] for name, points in marks.items()}


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
    inner = np.concatenate([OUTWARDS[0] * half, [(0.0, y - 2.3)], half[::-1]])
    brush.fill(np.concatenate([edge, inner]), tone)


def nose(brush: Brush, marks: Landmarks, skin: float) -> None:
    """Nostrils, wings and the shadow under the tip."""
    for out, at in sides(marks):
        wing = at["nose_wing"]
        brush.disc(wing + out * (-1.35, 0.75), (0.95, 0.6), skin * 0.33, 3.0)
        edge = wing + out * [(-0.5, -1.9), (0.15, -0.6), (-0.3, 0.7)]
        brush.stroke(edge, 0.7, skin * 0.66, 1.5)
    left, right = marks["nose_wing"] + OUTWARDS * (-1.6, 0.9)
    brush.stroke(arc(left, marks["nose_tip"][0] + (0, 1.5), right), 0.6, skin * 0.66, 3.0)


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
        teeth = np.minimum(upper + (0, bare), lower)
        brush.between(upper[2:-2], teeth[2:-2], min(240.0, skin * 0.45 + 135))
        if gap > 3.0:
            tongue = arc(lower[3], lower[6] - (0, 0.5 * gap), lower[-4], 3.0)
            brush.between(tongue, lower[3:-3], skin * 0.46)
    else:
        brush.stroke((upper + lower) / 2, 0.75, skin * 0.3, ends=0.6)
    for corner in marks["lip_corner"] - OUTWARDS * (0.2, 0):
        brush.disc(corner, (0.5, 0.45), skin * 0.38)


def eye(brush: Brush, out: Points, at: Landmarks, skin: float, gaze: float, light: float) -> None:
    """Lids with their crease and lashes, the white, iris and pupil, and a glint of the light."""
    left = out[0] < 0
    start, end = (at["outer_eye"], at["inner_eye"])[:: 1 if left else -1]
    upper = arc(start, at["upper_lid"], end, 2.5)
    lower = arc(start, at["lower_lid"], end)
    crease = upper - (0, 1.4)
    brush.between(crease, upper, skin * 0.9)
    brush.between(upper, lower, min(250.0, 0.4 * skin + 165))
    iris = at["iris"] + (gaze, 0)
    for radius, tone in ((2.05, 58.0), (1.05, 12.0)):
        x, y = (CIRCLE * radius + iris).T
        y = np.maximum(y, np.interp(x, *upper.T))  # the lids cut it off
        y = np.minimum(y, np.interp(x, *lower.T))
        brush.fill(np.stack([x, y], axis=1), tone)
    glint = iris + (0.6 if light > 0 else -0.6, -0.6)
    if at["upper_lid"][1] < glint[1] - 0.2:
        brush.disc(glint, (0.45, 0.45), 245)
    brush.stroke(crease, 0.5, skin * 0.68)
    tail = at["outer_eye"] + out * (0.6, -0.1)
    lashes = np.vstack([tail, upper] if left else [upper, tail])
    brush.stroke(lashes, 0.95, min(skin * 0.25, 45.0), ends=0.7)
    brush.stroke(lower, 0.5, skin * 0.6)


def brow(brush: Brush, at: Landmarks, thickness: float, tone: float) -> None:
    """A brow, thick near the nose and thin outside."""
    curve = arc(at["inner_brow"], at["middle_brow"], at["outer_brow"])
    t = np.linspace(0.0, 1.0, len(curve))[:, None]
    half = thickness / 2.0 * (1.0 - 0.7 * t * np.sqrt(t)) * (0.0, 1.0)
    brush.between(curve - half, curve + half, tone)


def glasses(brush: Brush, marks: Landmarks, skin: float) -> None:
    """Rims, temples and bridge of a pair of glasses."""
    tone = 28.0 if skin > 130 else 12.0
    ring = np.concatenate([CIRCLE, CIRCLE[:1]])
    ring = np.sign(ring) * np.abs(ring) ** 0.75 * (5.0, 4.2)
    left, right = marks["iris"] + (0, 0.5)
    for out, centre in zip(OUTWARDS, (left, right), strict=True):
        brush.stroke(ring + centre, 0.75, tone, 1.5, ends=1.0)
        brush.stroke(centre + out * [(5.0, -0.8), (9.5, -1.2)], 0.75, tone, ends=1.0)
    bridge = arc(left + (5.0, -0.3), (left + right) / 2 - (0, 1.2), right - (5.0, 0.3))
    brush.stroke(bridge, 0.75, tone, 2.0, ends=1.0)


def folds(brush: Brush, marks: Landmarks, au: Muscles, skin: float, age: float) -> None:
    """Folds of muscles and age: forehead, frown, nose, cheeks, pouches, crow's feet."""

    def fold(line: Points, width: float, strength: float, lift: float = 0.0) -> None:
        brush.stroke(line, width, skin * (1.0 - 0.5 * min(strength, 1.0)), lift)

    forehead = 0.9 * max(au[1], au[2]) + 0.3 * age - 0.15
    if forehead > 0.1:  # the middle for AU1 alone, the whole forehead with AU2
        half, brows = 5.0 + 5.0 * au[2], marks["middle_brow"][:, 1].mean()
        for y in (brows - 3.0, brows - 5.4):
            fold(arc((-half, y + 0.8), (0, y), (half, y + 0.8)), 0.8, forehead * 0.65)
    frown = au[4] + 0.5 * au[9] + 0.25 * age - 0.15
    if frown > 0.1:
        for out, at in sides(marks):
            line = at["inner_brow"] - out * (1.5, 0) + out * [(0.3, -2.2), (0, 0), (0.2, 2.0)]
            fold(line, 0.9, frown * 0.75)
    if au[9] > 0.1:
        for y in marks["inner_eye"][0, 1] + (0.2, 2.0, 3.8):
            fold(arc((-2.4, y + 0.9), (0, y), (2.4, y + 0.9)), 0.8, au[9] * 0.75, 2.0)
    cheek = 0.22 + 0.6 * max(au[12], au[9], 0.4 * au[20]) + 0.35 * age
    pouch = 0.35 * age + 0.5 * au[6] + 0.2 * au[9]
    for out, at in sides(marks):
        start = at["nose_wing"] + out * (0.9, -1.0 - au[9])
        end = at["lip_corner"] + out * (2.2, 0.6)
        middle = (start + end) / 2 + out * (0.7 + 1.4 * au[12] + au[9], -0.9 * au[12])
        fold(arc(start, middle, end), 0.7 + 0.5 * max(au[12], au[9]), cheek * 0.6)
        if pouch > 0.15:
            start, end = at["inner_eye"] + out * (0.6, 1.6), at["outer_eye"] + (0, 1.4)
            fold(arc(start, at["lower_lid"] + (0, 1.8), end), 0.7, pouch * 0.65)
        if au[6] > 0.25:
            foot = at["outer_eye"] + out * (1.2, 0)
            for rise in (-1.3, 0.1, 1.5):
                fold(foot + out * [(0, rise * 0.4), (2.2, rise * 1.5)], 0.6, au[6] * 0.5)


def relief(brush: Brush, marks: Landmarks, au: Muscles, light: float) -> None:
    """Hollows (tones under 128) and bumps (over 128)."""
    raised = max(au[6], 0.8 * au[12], 0.5 * au[9])
    tip, bridge = marks["nose_tip"][0], marks["inner_eye"].mean(axis=0)
    brush.disc((0, -13), (9, 3.5), 142)
    for out, at in sides(marks):
        brush.disc(at["iris"] - (0, 2.4), (4.6, 2.4), 112)
        brush.disc(at["iris"] - out * (4.2, 0.8), (1.5, 3.0), 92)
        brush.disc(at["cheek"], (3.6, 2.8), 138 + 22 * raised)
        brush.disc(at["cheek"] + out * (2.0, 7.0), (2.5, 4.5), 117)
        upper, lower = bridge + out * [(0.6, 0), (2.2, 2.0)], tip + out * (0.8, -1.0)
        flank = np.stack([upper[0], lower, at["nose_wing"], upper[1]])
        brush.fill(flank, 140 if out[0] * light > 0 else 96, 2.0)
    ridge = [bridge - (0.8, 0), bridge + (0.8, 0), tip + (1.1, -0.5), tip - (1.1, 0.5)]
    brush.fill(ridge, 160, 3.5)
    brush.disc(tip + (0, 2.4), (2.6, 1.0), 104)
    lip, chin = marks["lip_bottom"][0], marks["chin"][0]
    brush.disc(lip + (0, 1.3), (3.4, 0.9), 98)
    brush.disc((lip + chin) / 2 + (0, 1.2), (3.4, 1.6), 146)
