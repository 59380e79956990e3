"""Draws a parametric face as a grey 48x48 picture: head, hair, relief, light, camera."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from facial_expression.dataset.brush import CIRCLE, SIDE, Brush, Looks, span
from facial_expression.dataset.faces import Identity, Points, landmarks
from facial_expression.dataset.features import brow, eye, glasses, mouth, nose
from facial_expression.dataset.folds import folds

FINE = 6  # canvas pixels a picture pixel, for the features
SOFT = 2  # the same for the blurred shadows


def portrait(
    person: Identity, muscles: Mapping[int, float], look: Looks, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The finished picture, uint8 (48, 48); `rng` ruffles the hair and makes the sensor's noise."""
    marks = landmarks(person, muscles)
    brush, soft = Brush(look, FINE, round(look.backdrop)), Brush(look, SOFT, 128)
    _head(brush, person, marks, look)
    folds(brush, marks, muscles, look)
    nose(brush, marks, look)
    mouth(brush, marks, look, rng)
    for side in (0, 1):
        eye(brush, marks, side, look)
        brow(brush, marks, side, look)
    _hair(brush, person, look, rng)
    if look.glasses:
        glasses(brush, marks, look)
    _relief(soft, marks, muscles, look)
    return _develop(brush, soft, look, rng)


def _head(brush: Brush, person: Identity, marks: dict[str, Points], look: Looks) -> None:
    w, skin = person.half_width, look.skin
    if look.style in ("long", "curls"):
        bottom = 34.0 if look.style == "long" else 6.0
        brush.disc((0, -6), (w + 4, 20), look.hair * 0.8)
        brush.fill(
            np.array([(-w - 4, -6), (w + 4, -6), (w + 3.5, bottom), (-w - 3.5, bottom)]),
            look.hair * 0.8,
        )
    brush.fill(np.array([(-10, 12), (10, 12), (11, 40), (-11, 40)]), skin * 0.68)
    brush.fill(
        np.array([(-11, 23.5), (-26, 28), (-30, 60), (30, 60), (26, 28), (11, 23.5), (0, 28)]),
        look.clothes,
    )
    for x in (-w - 0.3, w + 0.3):
        brush.disc((x, -0.5), (2.0, 4.6), skin * 0.86)
        brush.disc((x, -0.5), (0.9, 2.8), skin * 0.7)
    brush.fill(_outline(person, marks), skin)
    if look.beard in ("full", "stubble"):
        shade = 0.3 if look.beard == "stubble" else 0.85
        jaw = _outline(person, marks)
        jaw = jaw[(jaw[:, 1] > 4.0)]
        jaw = jaw[np.argsort(np.arctan2(jaw[:, 0], jaw[:, 1] - 4.0))]
        mouth = marks["lip_top"][0, 1] - 2.2
        inner = span(np.array([11.5, 6.0]), np.array([0.0, mouth]), np.array([-11.5, 6.0]), 4.0)
        brush.fill(np.concatenate([jaw, inner]), skin + (look.hair - skin) * shade)


def _outline(person: Identity, marks: dict[str, Points]) -> Points:
    """The edge of the face (28, 2): half an ellipse above, a jaw as square as it is below."""
    chin = marks["chin"][0, 1]
    x, y = CIRCLE.T
    square = 0.55 + 0.3 * (1.0 - person.jaw)
    wide = np.where(y > 0, np.sign(x) * np.abs(x) ** square * (1.0 - 0.16 * y), x)
    return np.stack(
        [person.half_width * wide, np.where(y > 0, chin * np.abs(y) ** 0.9 * 1.0, 23.0 * y)], axis=1
    )


def _hair(brush: Brush, person: Identity, look: Looks, rng: np.random.Generator) -> None:
    w, hair = person.half_width, look.hair
    if look.style == "bald":
        return
    around = np.linspace(np.pi, 2.0 * np.pi, 15)
    thick = {"crop": 1.0, "parting": 2.2, "fringe": 2.0, "long": 2.4, "curls": 2.6}[look.style]
    top = np.stack(
        [(w + thick * 0.8) * np.cos(around), (23.0 + thick) * np.sin(around) + 0.5], axis=1
    )
    t = np.linspace(1.0, -1.0, 15)
    temple = {"crop": -4.0, "parting": -3.0, "fringe": 0.0, "long": 4.0, "curls": -2.0}[look.style]
    if look.style == "fringe":
        line = -11.0 + rng.uniform(-0.9, 0.9, 15)
        power = 12
    elif look.style in ("parting", "long"):
        line = -17.5 + 4.0 * np.abs(t - look.parting) ** 1.3
        power = 6
    else:
        line = -15.5 + rng.uniform(-0.4, 0.4, 15)
        power = 5
    line = line + (temple - line) * np.abs(t) ** power
    brush.fill(np.concatenate([top, np.stack([t * (w - 0.2), line], axis=1)]), hair)
    if look.style == "curls":
        for angle in np.linspace(np.pi * 0.95, np.pi * 2.05, 17):
            r = rng.uniform(2.6, 3.8)
            x, y = (w + 1.5) * np.cos(angle), -3 + 17.5 * np.sin(angle)
            brush.disc((x, y), (r, r), hair * rng.uniform(0.8, 1.15) + 4)
    elif look.style == "long":
        for sign in (-1.0, 1.0):
            edge = np.array(
                [
                    (w - 1.2, -8.0),
                    (w + 3.2, -6.0),
                    (w + 4.2, 34.0),
                    (w - 4.0, 34.0),
                    (w - 1.8, 16.0),
                    (w - 0.6, 4.0),
                ]
            )
            brush.fill(edge * (sign, 1.0), hair * (0.94 + 0.06 * sign))
    for _ in range(7):  # strands
        x = rng.uniform(-0.85, 0.85)
        y = np.interp(x, t[::-1], line[::-1]) - 0.5
        foot, root = np.array([x * w, y]), np.array([look.parting * 6 + x * w * 0.35, -23.5])
        middle = (foot + root) / 2 + (np.sign(x) * 1.5, -1.0)
        brush.stroke(
            span(root, middle, foot), 0.7, hair * rng.choice((0.7, 1.3)) + rng.uniform(-4, 10)
        )


def _relief(
    brush: Brush, marks: dict[str, Points], muscles: Mapping[int, float], look: Looks
) -> None:
    """Hollows (under 128) and bumps (over 128), to be blurred."""
    lit = 1 if look.light[0] > 0 else 0
    raised = max(muscles.get(6, 0.0), muscles.get(12, 0.0) * 0.8, muscles.get(9, 0.0) * 0.5)
    tip, bridge = marks["nose_tip"][0], marks["inner_eye"].mean(0)
    brush.disc((0, -13), (9, 3.5), 142)
    for side, sign in ((0, -1.0), (1, 1.0)):
        eye, cheek = marks["iris"][side], marks["cheek"][side]
        brush.disc((eye[0], eye[1] - 1.8), (4.6, 3.4), 112)
        brush.disc((eye[0] - sign * 3.6, eye[1] - 0.6), (1.8, 3.0), 94)
        brush.disc((cheek[0], cheek[1]), (3.6, 2.8), 138 + 22 * raised)
        brush.disc((cheek[0] + sign * 2.0, cheek[1] + 7.0), (2.5, 4.5), 116)
        flank = 140 if side == lit else 96
        wing = marks["nose_wing"][side]
        brush.fill(
            np.array(
                [
                    bridge + (sign * 0.6, 0),
                    tip + (sign * 0.8, -1.0),
                    wing,
                    bridge + (sign * 2.2, 2.0),
                ]
            ),
            flank,
            2.0,
        )
    brush.fill(
        np.array([bridge + (-0.8, 0), bridge + (0.8, 0), tip + (1.1, -0.5), tip + (-1.1, -0.5)]),
        160,
        3.5,
    )
    brush.disc((tip[0], tip[1] + 2.4), (2.6, 1.0), 104)
    chin = marks["chin"][0]
    lip = marks["lip_bottom"][0]
    brush.disc((0, lip[1] + 1.2), (3.4, 0.9), 104)
    brush.disc((0, (lip[1] + chin[1]) / 2 + 1.2), (3.4, 1.6), 144)


def _develop(brush: Brush, soft: Brush, look: Looks, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light, lens and sensor: two canvases -> the picture, uint8 (48, 48)."""
    flat = np.asarray(brush.image.reduce(FINE), dtype=np.float64)
    bumps = (
        np.asarray(
            soft.image.filter(ImageFilter.GaussianBlur(1.3 * SOFT)).reduce(SOFT), dtype=np.float64
        )
        - 128
    )
    x = (np.arange(SIDE) + 0.5 - 24.0 - look.shift[0]) / (19.0 * look.scale)
    y = ((np.arange(SIDE) + 0.5 - 24.5 - look.shift[1]) / (26.0 * look.scale))[:, None]
    z = np.sqrt(np.maximum(0.05, 1.0 - x**2 - y**2))
    light = x * look.light[0] + y * look.light[1] + z * 0.8
    field = np.where(
        x**2 + y**2 < 1.35, 0.52 + 0.6 * np.maximum(light, 0.0), 0.85 + 0.1 * look.light[0] * x
    )
    lit = flat * field * look.exposure + bumps * (look.skin / 150)
    lens = Image.fromarray(np.rint(np.clip(lit, 0, 255)).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(look.blur)
    )
    grain = rng.normal(0.0, look.noise, (SIDE, SIDE))
    return np.rint(np.clip(np.asarray(lens) + grain, 0, 255)).astype(np.uint8)
