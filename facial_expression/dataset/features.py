"""The features of a drawn face: nose, mouth, eyes, brows, glasses."""

from __future__ import annotations

import numpy as np

from facial_expression.dataset.brush import CIRCLE, Brush, Looks, span
from facial_expression.dataset.faces import Points


def nose(brush: Brush, marks: dict[str, Points], look: Looks) -> None:
    """Wings, nostrils and the shadow under the tip."""
    tip, wings = marks["nose_tip"][0], marks["nose_wing"]
    shade = 0 if look.light[0] > 0 else 1
    for side, sign in ((0, -1.0), (1, 1.0)):
        wing = wings[side]
        brush.disc((wing[0] - sign * 1.35, wing[1] + 0.75), (0.95, 0.6), look.skin * 0.33, 3.0)
        curve = np.array(
            [wing + (-sign * 0.5, -1.9), wing + (sign * 0.15, -0.6), wing + (-sign * 0.3, 0.7)]
        )
        brush.stroke(curve, 0.7, look.skin * (0.6 if side == shade else 0.72), 1.5)
    brush.stroke(
        span(wings[0] + (1.6, 0.9), tip + (0, 1.5), wings[1] + (-1.6, 0.9)),
        0.6,
        look.skin * 0.66,
        3.0,
    )


def mouth(brush: Brush, marks: dict[str, Points], look: Looks, rng: np.random.Generator) -> None:
    """Lips around what the jaw and the lip muscles open: teeth, tongue, the dark inside."""
    left, right = marks["lip_corner"]
    gap = marks["lower_lip"][0, 1] - marks["upper_lip"][0, 1]
    power = 2.0 + min(0.8, 0.2 * gap)
    top, upper, lower, bottom = (
        span(left, marks[name][0], right, power)
        for name in ("lip_top", "upper_lip", "lower_lip", "lip_bottom")
    )
    t = np.linspace(-1.0, 1.0, len(top))
    top[:, 1] += 0.45 * np.exp(-((t / 0.16) ** 2)) - 0.25 * np.exp(
        -(((np.abs(t) - 0.3) / 0.2) ** 2)
    )  # Cupid's bow
    lip = look.skin * rng.uniform(0.6, 0.78)
    if look.beard in ("moustache", "full"):
        wide = np.array([1.5, 0.8])
        hair = look.skin + (look.hair - look.skin) * 0.9
        brush.fill(
            np.concatenate(
                [
                    span(
                        left - (wide[0], -wide[1]),
                        marks["lip_top"][0] - (0, 2.8),
                        right + wide,
                        3.0,
                    ),
                    top[::-1],
                ]
            ),
            hair,
        )
    brush.fill(np.concatenate([top, upper[::-1]]), lip * 0.88)
    brush.fill(np.concatenate([lower, bottom[::-1]]), lip * 1.06)
    if gap > 0.7:
        brush.fill(np.concatenate([upper, lower[::-1]]), 32)
        inside = slice(2, -2)
        reach = np.minimum(upper + (0, min(2.3, 0.75 * gap)), lower)[inside]
        brush.fill(np.concatenate([upper[inside], reach[::-1]]), min(238.0, look.skin * 0.5 + 120))
        if gap > 3.2:  # the tongue
            floor = lower[3:-3]
            brush.fill(
                np.concatenate([floor - (0, 0.3 * gap * 0.9), floor[::-1]]), look.skin * 0.48
            )
    else:
        brush.stroke((upper + lower) / 2, 0.75, look.skin * 0.3, ends=0.6)
    for corner, sign in ((left, 1.0), (right, -1.0)):
        brush.disc((corner[0] + sign * 0.2, corner[1]), (0.5, 0.45), look.skin * 0.38)
    chin = marks["lip_bottom"][0] + (0, 1.6)
    brush.stroke(
        span(chin + (-2.6, 0.3), chin, chin + (2.6, 0.3)),
        0.9,
        look.skin * 0.84 if look.beard != "full" else look.hair,
    )


def eye(brush: Brush, marks: dict[str, Points], side: int, look: Looks) -> None:
    """One eye: white, iris under the lids, lashes, crease; side 0 is the picture's left."""
    sign = (-1.0, 1.0)[side]
    inner, outer = marks["inner_eye"][side], marks["outer_eye"][side]
    start, end = (outer, inner) if side == 0 else (inner, outer)
    upper = span(start, marks["upper_lid"][side], end, 2.3)
    lower = span(start, marks["lower_lid"][side], end, 2.2)
    crease = upper + (0.0, -1.4)
    brush.fill(np.concatenate([crease, upper[::-1]]), look.skin * 0.88)
    brush.fill(np.concatenate([upper, lower[::-1]]), min(240.0, 0.45 * look.skin + 138))
    for radius, tone in ((2.0, 62.0), (1.05, 14.0)):  # iris and pupil, cut off by the lids
        disc = CIRCLE * radius + marks["iris"][side] + (look.gaze, 0.0)
        disc[:, 1] = np.clip(
            disc[:, 1],
            np.interp(disc[:, 0], upper[:, 0], upper[:, 1]),
            np.interp(disc[:, 0], lower[:, 0], lower[:, 1]),
        )
        brush.fill(disc, tone)
    glint = marks["iris"][side] + (look.gaze + 0.55 * np.sign(look.light[0]), -0.55)
    if marks["upper_lid"][side, 1] < glint[1] - 0.3:
        brush.disc((glint[0], glint[1]), (0.42, 0.42), 235)
    brush.stroke(crease, 0.55, look.skin * 0.66)
    lash = (
        np.concatenate([upper, [outer + (sign * 0.5, -0.1)]])
        if side
        else np.concatenate([[outer + (-0.5, -0.1)], upper])
    )
    brush.stroke(lash, 0.95, min(look.skin * 0.25, 45), ends=0.7)
    brush.stroke(lower, 0.5, look.skin * 0.58)


def brow(brush: Brush, marks: dict[str, Points], side: int, look: Looks) -> None:
    """One eyebrow, thinner outwards; side 0 is the picture's left."""
    curve = span(marks["inner_brow"][side], marks["middle_brow"][side], marks["outer_brow"][side])
    t = np.linspace(0.0, 1.0, len(curve))[:, None]
    half = 0.5 * (1.75 - 1.2 * t**1.5) * (0.0, 1.0)
    tone = min(look.hair, look.skin * 0.62)
    brush.fill(np.concatenate([curve + half, (curve - half)[::-1]]), 0.85 * tone + 0.15 * look.skin)


def glasses(brush: Brush, marks: dict[str, Points], look: Looks) -> None:
    """Round frames in front of the eyes, with a bridge and temples."""
    rim = 28.0 if look.skin > 120 else 12.0
    ring = np.concatenate([CIRCLE, CIRCLE[:1]])
    ring = np.sign(ring) * np.abs(ring) ** 0.75 * (5.0, 4.1)
    for side, sign in ((0, -1.0), (1, 1.0)):
        centre = marks["iris"][side] + (0.0, 0.6)
        brush.stroke(ring + centre, 0.8, rim, 1.5, ends=1.0)
        brush.stroke(
            np.array([centre + (sign * 5.0, -0.6), centre + (sign * 9.5, -1.0)]), 0.8, rim, ends=1.0
        )
    left, right = marks["iris"] + (0.0, 0.2)
    brush.stroke(
        span(left + (5.0, 0.0), (left + right) / 2 + (0, -0.9), right - (5.0, 0.0)),
        0.8,
        rim,
        2.0,
        ends=1.0,
    )
