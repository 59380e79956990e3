"""Light and shadow on a face: folds of muscles and age, hollows and bumps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facial_expression.sample.brush import Brush, arc, xy
from facial_expression.sample.features import SIDES, Landmarks

Muscles = Mapping[int, float]


def folds(brush: Brush, marks: Landmarks, muscles: Muscles, skin: float, age: float) -> None:
    """Folds of muscles and age: forehead, frown, nose, cheeks, pouches, crow's feet."""
    _forehead_and_frown(brush, marks, muscles, skin, age)
    au = {unit: muscles.get(unit, 0.0) for unit in (6, 9, 12, 20)}
    cheek = 0.22 + 0.6 * max(au[12], au[9], 0.4 * au[20]) + 0.35 * age
    pouch = 0.35 * age + 0.5 * au[6] + 0.2 * au[9]
    for side, out in SIDES:
        wing, corner = marks["nose_wing"][side], marks["lip_corner"][side]
        start, end = wing + xy(out * 0.9, -1.0 - au[9]), corner + xy(out * 2.2, 0.6)
        bow = (out * (0.7 + 1.4 * au[12] + au[9]), -0.9 * au[12])
        width = 0.7 + 0.5 * max(au[12], au[9])
        brush.stroke(arc(start, (start + end) / 2 + bow, end), width, _dark(skin, cheek * 0.6))
        inner, lid, outer = (marks[name][side] for name in ("inner_eye", "lower_lid", "outer_eye"))
        if pouch > 0.15:
            under = arc(inner + xy(out * 0.6, 1.6), lid + xy(0.0, 1.8), outer + xy(0.0, 1.4))
            brush.stroke(under, 0.7, _dark(skin, pouch * 0.65))
        if au[6] > 0.25:
            foot = outer + xy(out * 1.2, 0.0)
            for rise in (-1.3, 0.1, 1.5):
                foot_line = foot + np.array([(0.0, rise * 0.4), (out * 2.2, rise * 1.5)])
                brush.stroke(foot_line, 0.6, _dark(skin, au[6] * 0.5))


def _forehead_and_frown(
    brush: Brush, marks: Landmarks, muscles: Muscles, skin: float, age: float
) -> None:
    au = {unit: muscles.get(unit, 0.0) for unit in (1, 2, 4, 9)}
    brow = marks["middle_brow"][:, 1].mean()
    forehead = 0.9 * max(au[1], au[2]) + 0.3 * age - 0.15
    if forehead > 0.1:  # the middle for AU1 alone, the whole forehead with AU2
        half = 5.0 + 5.0 * au[2]
        for up in (3.0, 5.4):
            ends = brow - up + 0.8
            line = arc((-half, ends), (0.0, brow - up), (half, ends))
            brush.stroke(line, 0.8, _dark(skin, forehead * 0.65))
    frown = au[4] + 0.5 * au[9] + 0.25 * age - 0.15
    if frown > 0.1:
        for side, out in SIDES:
            foot = marks["inner_brow"][side] - xy(out * 1.5, 0.0)
            line = foot + np.array([(out * 0.3, -2.2), (0.0, 0.0), (out * 0.2, 2.0)])
            brush.stroke(line, 0.9, _dark(skin, frown * 0.75))
    if au[9] > 0.1:
        y = marks["inner_eye"][0, 1]
        for down in (0.2, 2.0, 3.8):
            line = arc((-2.4, y + down + 0.9), (0.0, y + down), (2.4, y + down + 0.9))
            brush.stroke(line, 0.8, _dark(skin, au[9] * 0.75), 2.0)


def _dark(skin: float, strength: float) -> float:
    return skin * (1.0 - 0.5 * min(strength, 1.0))


def relief(brush: Brush, marks: Landmarks, muscles: Mapping[int, float], light: float) -> None:
    """Hollows (tones under 128) and bumps (over 128)."""
    raised = max(muscles.get(6, 0.0), 0.8 * muscles.get(12, 0.0), 0.5 * muscles.get(9, 0.0))
    tip, bridge = marks["nose_tip"][0], marks["inner_eye"].mean(axis=0)
    brush.disc((0, -13), (9, 3.5), 142)
    for side, out in SIDES:
        eye, cheek = marks["iris"][side], marks["cheek"][side]
        brush.disc(eye - xy(0.0, 2.4), (4.6, 2.4), 112)
        brush.disc(eye - xy(out * 4.2, 0.8), (1.5, 3.0), 92)
        brush.disc(cheek, (3.6, 2.8), 138 + 22 * raised)
        brush.disc(cheek + xy(out * 2.0, 7.0), (2.5, 4.5), 117)
        flank = [bridge + xy(out * 0.6, 0.0), tip + xy(out * 0.8, -1.0), marks["nose_wing"][side]]
        tone = 140 if out * light > 0 else 96
        brush.fill(np.stack([*flank, bridge + xy(out * 2.2, 2.0)]), tone, 2.0)
    ridge = [bridge - xy(0.8, 0.0), bridge + xy(0.8, 0.0), tip + xy(1.1, -0.5), tip - xy(1.1, 0.5)]
    brush.fill(np.stack(ridge), 160, 3.5)
    brush.disc(tip + xy(0.0, 2.4), (2.6, 1.0), 104)
    lip, chin = marks["lip_bottom"][0], marks["chin"][0]
    brush.disc(lip + xy(0.0, 1.3), (3.4, 0.9), 98)
    brush.disc((lip + chin) / 2 + xy(0.0, 1.2), (3.4, 1.6), 146)
