"""A parametric face whose muscles follow the Facial Action Coding System (FACS).

Lengths are pixels of the finished 48x48 picture; the origin is the middle of the face, x grows to
the right of the picture, y downwards.  Ekman, Friesen and Hager, *Facial Action Coding System*
(2002) defines the action units (AUs) and the ones that each expression combines.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

OUTWARDS: Points = np.array([(-1.0, 1.0), (1.0, 1.0)])
"""Turns an offset (outwards, down) into (x, y), for the picture's left and right side."""

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

# fmt: off
ACTION_UNITS: dict[int, dict[str, tuple[float, float]]] = {
    1: {"inner_brow": (0, -4.1), "middle_brow": (0, -1.6)},  # inner brow raiser
    2: {"outer_brow": (0.2, -2.8), "middle_brow": (0.1, -1.8)},  # outer brow raiser
    4: {"inner_brow": (-1.3, 2.9), "middle_brow": (-0.6, 1.9),  # brow lowerer
        "outer_brow": (-0.2, 0.2)},
    5: {"upper_lid": (0, -1.3)},  # upper lid raiser
    6: {"lower_lid": (0, -0.8), "cheek": (0.3, -1.6), "outer_eye": (0, 0.2)},  # cheek raiser
    7: {"upper_lid": (0, 0.6), "lower_lid": (0, -0.7)},  # lid tightener
    9: {"nose_wing": (0.5, -1.4), "inner_brow": (-0.5, 1.4), "middle_brow": (0, 0.8),  # wrinkler
        "lower_lid": (0, -0.6), "upper_lid": (0, 0.4), "cheek": (0, -1),  # of the nose
        "lip_top": (0, -1.4), "upper_lip": (0, -1.2)},
    12: {"lip_corner": (1.9, -2.6), "lip_top": (0, 0.3), "upper_lip": (0, 0.1),  # lip corner puller
         "lower_lip": (0, 0.3), "lip_bottom": (0, 0.2), "cheek": (0.4, -0.8)},
    15: {"lip_corner": (0.1, 2.2), "lip_bottom": (0, -0.2)},  # lip corner depressor
    16: {"lower_lip": (0, 1.9), "lip_bottom": (0, 1.6)},  # lower lip depressor
    20: {"lip_corner": (2, 0.6), "lip_top": (0, 0.2), "lip_bottom": (0, -0.3)},  # lip stretcher
    23: {"lip_corner": (-1.1, 0), "lip_top": (0, 0.8), "lip_bottom": (0, -1)},  # lip tightener
    25: {"lip_top": (0, -0.5), "upper_lip": (0, -0.5), "lower_lip": (0, 1.7),  # lips part
         "lip_bottom": (0, 1.5)},
    26: {"lip_corner": (-1.4, 1.8), "lip_top": (0, -0.2), "upper_lip": (0, -0.3),  # jaw drop
         "lower_lip": (0, 6), "lip_bottom": (0, 5.6), "chin": (0, 3)},
}
# fmt: on
"""How far each action unit moves landmarks at full intensity: (outwards, down), pixels."""


def _between(low: float, high: float) -> float:
    return field(metadata={"range": (low, high)})


@dataclass(frozen=True)
class Identity:
    """The geometry of one person's face at rest, in pixels; people vary within these ranges."""

    half_width: float = _between(16.2, 18.8)  # at the cheekbones
    chin: float = _between(19.3, 22.0)  # below the origin
    jaw: float = _between(0.0, 1.0)  # 0 pointed, 1 square
    eye_level: float = _between(-4.6, -3.4)
    eye_spacing: float = _between(7.3, 8.6)  # from the midline to the middle of an eye
    eye_width: float = _between(3.5, 4.4)  # half the slit
    eye_height: float = _between(1.6, 2.4)  # of the upper lid above the middle
    eye_tilt: float = _between(-0.3, 0.7)  # of the outer corner, upwards
    brow_height: float = _between(4.5, 5.7)  # above the eyes
    brow_tilt: float = _between(-0.4, 0.8)  # of the outer end, upwards
    brow_arch: float = _between(0.4, 1.4)
    nose_level: float = _between(6.5, 8.0)
    nose_width: float = _between(2.6, 3.8)  # half
    mouth_level: float = _between(12.1, 13.3)
    mouth_width: float = _between(5.0, 6.5)  # half
    mouth_rest: float = _between(-0.3, 0.9)  # of the corners, downwards
    upper_lip: float = _between(0.7, 1.5)  # thickness
    lower_lip: float = _between(1.0, 1.9)
    asymmetry: float = _between(-0.15, 0.15)  # how much stronger the right side's muscles are


def identity(rng: np.random.Generator) -> Identity:
    """A person's geometry, each value drawn uniformly from its range."""
    low, high = np.transpose([value.metadata["range"] for value in fields(Identity)])
    return Identity(*rng.uniform(low, high).tolist())


def contraction(expression: str, level: float, rng: np.random.Generator) -> dict[int, float]:
    """Intensities in [0, 1] of the expression's action units, drawn around `level`."""
    extra = [au for au, share in COMPANIONS.get(expression, {}).items() if rng.random() < share]
    return {
        unit: float(np.clip(level * rng.uniform(0.55, 1.25), 0.0, 1.0))
        for unit in [*EXPRESSIONS[expression], *extra]
    }


def landmarks(person: Identity, muscles: Mapping[int, float]) -> dict[str, Points]:
    """The landmarks of a face whose `muscles` (action unit -> intensity in [0, 1]) contract.

    Each is an array (2, 2): (x, y) on the picture's left and right side.  On the midline (lips,
    chin, nose tip) both are the same point.
    """
    p, brow = person, person.eye_level - person.brow_height
    at_rest = {  # of the right side
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
    points = {name: OUTWARDS * point for name, point in at_rest.items()}
    sides = np.array([[1.0 - p.asymmetry], [1.0 + p.asymmetry]])
    for unit, intensity in muscles.items():
        for name, move in ACTION_UNITS[unit].items():
            side = sides if at_rest[name][0] else 1.0  # on the midline there is none
            points[name] += intensity * side * OUTWARDS * move
    return points
