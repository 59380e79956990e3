"""The folds that muscles and age draw into the skin of a face."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facial_expression.dataset.brush import Brush, Looks, span
from facial_expression.dataset.faces import Points

Muscles = Mapping[int, float]
UNITS = (1, 2, 4, 6, 9, 12, 20)  # the action units that fold the skin


def folds(brush: Brush, marks: dict[str, Points], muscles: Muscles, look: Looks) -> None:
    """Every fold of a face whose `muscles` (action unit -> intensity in [0, 1]) contract."""
    au = {unit: muscles.get(unit, 0.0) for unit in UNITS}
    _between_and_above_the_eyes(brush, marks, au, look)
    for side in (0, 1):
        _beside_nose_and_eye(brush, marks, au, look, side)


def _dark(look: Looks, strength: float) -> float:
    return look.skin * (1.0 - min(strength, 1.0) * 0.5)


def _between_and_above_the_eyes(
    brush: Brush, marks: dict[str, Points], au: Muscles, look: Looks
) -> None:
    brow = marks["middle_brow"][:, 1].mean()
    forehead = 0.9 * max(au[1], au[2]) + 0.3 * look.age - 0.15
    if forehead > 0.1:  # frontalis wrinkles the forehead: the middle for AU1, all of it with AU2
        half = 5.0 + 5.0 * au[2]
        for up in (3.0, 5.4):
            line = span(
                np.array([-half, brow - up + 0.8]),
                np.array([0.0, brow - up]),
                np.array([half, brow - up + 0.8]),
            )
            brush.stroke(line, 0.8, _dark(look, forehead * 0.7))
    frown = au[4] + 0.5 * au[9] + 0.25 * look.age - 0.15
    inner = marks["inner_brow"]
    if frown > 0.1:
        for side, sign in ((0, -1.0), (1, 1.0)):
            x, y = inner[side, 0] - sign * 1.5, inner[side, 1]
            brush.stroke(
                np.array([(x + sign * 0.3, y - 2.2), (x, y), (x + sign * 0.2, y + 2.0)]),
                0.9,
                _dark(look, frown * 0.8),
            )
    if au[9] > 0.1:
        y = marks["inner_eye"][0, 1]
        for down in (0.2, 2.0, 3.8):
            line = span(
                np.array([-2.4, y + down + 0.9]),
                np.array([0.0, y + down]),
                np.array([2.4, y + down + 0.9]),
            )
            brush.stroke(line, 0.8, _dark(look, au[9] * 0.75), 2.0)


def _beside_nose_and_eye(
    brush: Brush, marks: dict[str, Points], au: Muscles, look: Looks, side: int
) -> None:
    sign = (-1.0, 1.0)[side]
    fold = 0.25 + 0.6 * max(au[12], au[9], 0.5 * au[20]) + 0.35 * look.age
    wing, corner = marks["nose_wing"][side], marks["lip_corner"][side]
    start = wing + np.array([sign * 0.9, -1.0 - au[9]])
    end = corner + np.array([sign * 2.2, 0.6])
    middle = (start + end) / 2 + np.array([sign * (0.7 + 1.4 * au[12] + au[9]), -0.9 * au[12]])
    brush.stroke(span(start, middle, end), 0.7 + 0.5 * max(au[12], au[9]), _dark(look, fold * 0.62))
    if au[12] > 0.35:
        brush.stroke(
            corner + np.array([(sign * 1.1, -1.2), (sign * 1.5, 0.0), (sign * 1.1, 1.2)]),
            0.8,
            _dark(look, 0.6 * au[12]),
        )
    outer, lid = marks["outer_eye"][side], marks["lower_lid"][side]
    bag = 0.35 * look.age + 0.55 * au[6] + 0.2 * au[9]
    if bag > 0.15:
        inside = marks["inner_eye"][side]
        brush.stroke(
            span(inside + (sign * 0.6, 1.6), lid + (0.0, 1.7), outer + (0.0, 1.4)),
            0.7,
            _dark(look, bag * 0.7),
        )
    if au[6] > 0.25:
        for rise in (-1.3, 0.1, 1.5):
            foot = outer + (sign * 1.2, rise * 0.4)
            brush.stroke(
                np.array([foot, foot + (sign * 1.2, rise * 0.6), foot + (sign * 2.4, rise * 1.3)]),
                0.6,
                _dark(look, au[6] * 0.5),
            )
