"""A parametric face whose muscles follow the Facial Action Coding System (FACS).

Lengths are pixels of the finished 48x48 picture; the origin is the middle of the face, x grows to
the right of the picture, y downwards.  Ekman, Friesen and Hager, *Facial Action Coding System*
(2002) defines the action units (AUs) and the ones that each expression combines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facial_expression.sample.brush import Points

EXPRESSIONS: dict[str, tuple[int, ...]] = {
    "angry": (4, 5, 7, 23),
    "disgust": (9, 15, 16),
    "fear": (1, 2, 4, 5, 20, 26),
    "happy": (6, 12),
    "neutral": (),
    "sad": (1, 4, 15),
    "surprise": (1, 2, 5, 26),
}
"""The action units of each expression, as EMFACS has them."""

COMPANIONS: dict[str, dict[int, float]] = {"happy": {25: 0.7}}
"""Action units that an expression has with some probability: most smiles show teeth."""

ACTION_UNITS: dict[int, dict[str, tuple[float, float]]] = {
    # inner brow raiser
    1: {"inner_brow": (0.0, -4.1), "middle_brow": (0.0, -1.6)},
    # outer brow raiser
    2: {"outer_brow": (0.2, -2.8), "middle_brow": (0.1, -1.8)},
    # brow lowerer
    4: {"inner_brow": (-1.3, 2.9), "middle_brow": (-0.6, 1.9), "outer_brow": (-0.2, 0.2)},
    # upper lid raiser
    5: {"upper_lid": (0.0, -1.3)},
    # cheek raiser
    6: {"lower_lid": (0.0, -0.8), "cheek": (0.3, -1.6), "outer_eye": (0.0, 0.2)},
    # lid tightener
    7: {"upper_lid": (0.0, 0.6), "lower_lid": (0.0, -0.7)},
    # nose wrinkler
    9: {
        "nose_wing": (0.5, -1.4),
        "inner_brow": (-0.5, 1.4),
        "middle_brow": (0.0, 0.8),
        "lower_lid": (0.0, -0.6),
        "upper_lid": (0.0, 0.4),
        "lip_top": (0.0, -1.4),
        "upper_lip": (0.0, -1.2),
        "cheek": (0.0, -1.0),
    },
    # lip corner puller
    12: {
        "lip_corner": (1.9, -2.6),
        "lip_top": (0.0, 0.3),
        "lip_bottom": (0.0, 0.2),
        "upper_lip": (0.0, 0.1),
        "lower_lip": (0.0, 0.3),
        "cheek": (0.4, -0.8),
    },
    # lip corner depressor
    15: {"lip_corner": (0.1, 2.2), "lip_bottom": (0.0, -0.2)},
    # lower lip depressor
    16: {"lower_lip": (0.0, 1.9), "lip_bottom": (0.0, 1.6)},
    # lip stretcher
    20: {"lip_corner": (2.0, 0.6), "lip_top": (0.0, 0.2), "lip_bottom": (0.0, -0.3)},
    # lip tightener
    23: {"lip_corner": (-1.1, 0.0), "lip_top": (0.0, 0.8), "lip_bottom": (0.0, -1.0)},
    # lips part
    25: {
        "lip_top": (0.0, -0.5),
        "upper_lip": (0.0, -0.5),
        "lower_lip": (0.0, 1.7),
        "lip_bottom": (0.0, 1.5),
    },
    # jaw drop
    26: {
        "lip_corner": (-1.4, 1.8),
        "lip_top": (0.0, -0.2),
        "upper_lip": (0.0, -0.3),
        "lower_lip": (0.0, 6.0),
        "lip_bottom": (0.0, 5.6),
        "chin": (0.0, 3.0),
    },
}
"""How far each action unit moves landmarks at full intensity: (outwards, down), pixels."""

MIDLINE = frozenset({"nose_tip", "lip_top", "upper_lip", "lower_lip", "lip_bottom", "chin"})
"""Landmarks that exist once, not on both sides."""


@dataclass(frozen=True)
class Identity:
    """The geometry of one person's face at rest, in pixels."""

    half_width: float = 17.5  # at the cheekbones
    chin: float = 20.5  # below the origin
    jaw: float = 0.5  # 0 pointed, 1 square
    eye_level: float = -4.0
    eye_spacing: float = 8.0  # from the midline to the middle of an eye
    eye_width: float = 3.9  # half the slit
    eye_height: float = 2.0  # of the upper lid above the middle
    eye_tilt: float = 0.2  # of the outer corner, upwards
    brow_height: float = 5.0  # above the eyes
    brow_tilt: float = 0.3  # of the outer end, upwards
    brow_arch: float = 0.9
    nose_level: float = 7.3
    nose_width: float = 3.1  # half
    mouth_level: float = 12.6
    mouth_width: float = 5.8  # half
    mouth_rest: float = 0.0  # of the corners, downwards
    upper_lip: float = 1.0  # thickness
    lower_lip: float = 1.3
    asymmetry: float = 0.0  # how much stronger the right side's muscles are


def identity(rng: np.random.Generator) -> Identity:
    """A person's geometry, drawn at random."""
    draw = rng.uniform
    return Identity(
        half_width=draw(16.2, 18.8),
        chin=draw(19.3, 22.0),
        jaw=draw(0.0, 1.0),
        eye_level=draw(-4.6, -3.4),
        eye_spacing=draw(7.3, 8.6),
        eye_width=draw(3.5, 4.4),
        eye_height=draw(1.6, 2.4),
        eye_tilt=draw(-0.3, 0.7),
        brow_height=draw(4.5, 5.7),
        brow_tilt=draw(-0.4, 0.8),
        brow_arch=draw(0.4, 1.4),
        nose_level=draw(6.5, 8.0),
        nose_width=draw(2.6, 3.8),
        mouth_level=draw(12.1, 13.3),
        mouth_width=draw(5.0, 6.5),
        mouth_rest=draw(-0.3, 0.9),
        upper_lip=draw(0.7, 1.5),
        lower_lip=draw(1.0, 1.9),
        asymmetry=draw(-0.15, 0.15),
    )


def contraction(expression: str, level: float, rng: np.random.Generator) -> dict[int, float]:
    """Intensities in [0, 1] of the expression's action units, drawn around `level`."""
    units = list(EXPRESSIONS[expression])
    units += [
        unit for unit, share in COMPANIONS.get(expression, {}).items() if rng.random() < share
    ]
    return {unit: float(np.clip(level * rng.uniform(0.55, 1.25), 0.0, 1.0)) for unit in units}


def landmarks(person: Identity, muscles: Mapping[int, float]) -> dict[str, Points]:
    """The landmarks of a face whose `muscles` (action unit -> intensity in [0, 1]) contract.

    Returns:
        name -> array (2, 2): the picture's left and right landmark, each (x, y).  Both rows of a
        landmark on the midline (lips, chin, nose tip) are the same point.

    Raises:
        KeyError: an action unit is not in `ACTION_UNITS`.
    """
    points = {name: np.array([(-x, y), (x, y)]) for name, (x, y) in _at_rest(person).items()}
    sides = np.array([1.0 - person.asymmetry, 1.0 + person.asymmetry])
    for unit, intensity in muscles.items():
        for name, (outwards, down) in ACTION_UNITS[unit].items():
            strength = intensity * (np.ones(2) if name in MIDLINE else sides)
            points[name][:, 0] += strength * outwards * np.array([-1.0, 1.0])
            points[name][:, 1] += strength * down
    return points


def _at_rest(p: Identity) -> dict[str, tuple[float, float]]:
    brow = p.eye_level - p.brow_height
    return {
        "inner_brow": (p.eye_spacing - 4.0, brow + 0.4),
        "middle_brow": (p.eye_spacing + 0.6, brow - p.brow_arch),
        "outer_brow": (p.eye_spacing + 4.9, brow + 0.6 - p.brow_tilt),
        "inner_eye": (p.eye_spacing - p.eye_width, p.eye_level + 0.5),
        "outer_eye": (p.eye_spacing + p.eye_width, p.eye_level + 0.1 - p.eye_tilt),
        "upper_lid": (p.eye_spacing - 0.1, p.eye_level - p.eye_height),
        "lower_lid": (p.eye_spacing + 0.2, p.eye_level + 1.4),
        "iris": (p.eye_spacing, p.eye_level - 0.1),
        "cheek": (p.eye_spacing + 1.5, 4.5),
        "nose_tip": (0.0, p.nose_level),
        "nose_wing": (p.nose_width, p.nose_level - 0.3),
        "lip_corner": (p.mouth_width, p.mouth_level + p.mouth_rest),
        "lip_top": (0.0, p.mouth_level - p.upper_lip),
        "upper_lip": (0.0, p.mouth_level),
        "lower_lip": (0.0, p.mouth_level + 0.1),
        "lip_bottom": (0.0, p.mouth_level + 0.1 + p.lower_lip),
        "chin": (0.0, p.chin),
    }
