"""Drawn faces to try the page with, made when it starts; none is a real person's."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from facial_expression.sample.faces import COMPANIONS, EXPRESSIONS, identity
from facial_expression.sample.portraits import looks, portrait

SCALE = 8  # times 48 pixels
PEOPLE = {
    "angry": 10,
    "disgust": 2,
    "fear": 1,
    "happy": 9,
    "neutral": 9,
    "sad": 6,
    "surprise": 4,
}
"""Expression -> seed of the face; chosen by eye so that age, hair and skin differ."""


def draw() -> dict[str, bytes]:
    """Expression -> the bytes of a grey PNG file, 384x384; the same on each call."""
    return {name: _png(name, seed) for name, seed in PEOPLE.items()}


def _png(expression: str, seed: int) -> bytes:
    rng = np.random.default_rng([seed, list(EXPRESSIONS).index(expression)])
    muscles = dict.fromkeys(EXPRESSIONS[expression], 1.0) | COMPANIONS.get(expression, {})
    look = looks(rng)
    pose = replace(look.pose, scale=0.9 * look.pose.scale)  # smaller: with some background
    look = replace(look, pose=pose, blur=0.25, noise=1.5)
    pixels = portrait(identity(rng), muscles, look, rng, SCALE)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return stream.getvalue()
