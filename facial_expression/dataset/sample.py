"""The embedded sample: drawn faces in FER2013's layout, with a known handful of FER2013's faults.

No picture shows a real person, and scores on it are synthetic.  Its classes are imbalanced like
FER2013's (disgust is the rarest), its expressions vary from faint to full, so that a network
confuses what people confuse.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from facial_expression.dataset.brush import SIDE, looks
from facial_expression.dataset.faces import contraction, identity
from facial_expression.dataset.portraits import portrait

TRAIN = {
    "angry": 140,
    "disgust": 40,
    "fear": 140,
    "happy": 250,
    "neutral": 170,
    "sad": 165,
    "surprise": 115,
}
"""Training pictures drawn for each class, before faults are planted."""

HELD_OUT = 5  # a fifth as many in PublicTest, and again in PrivateTest
FAINTEST = 0.45  # of full muscle intensity: fainter ones are neutral to most people
USAGES = (("train", "Training"), ("test", "PublicTest"), ("test", "PrivateTest"))

Pair = tuple[str, str]
"""Member paths of an original and of what was copied from it."""


@dataclass(frozen=True)
class Faults:
    """What is wrong with the sample on purpose.

    Attributes:
        duplicates: equal files within training, same class.
        leaks: a test picture that also stands in training, as (test, training).
        conflicts: equal files within training under different classes.
        near_duplicates: the same drawing within training, encoded more coarsely.
        blanks: pictures of one grey level.
    """

    duplicates: list[Pair] = field(default_factory=list)
    leaks: list[Pair] = field(default_factory=list)
    conflicts: list[Pair] = field(default_factory=list)
    near_duplicates: list[Pair] = field(default_factory=list)
    blanks: list[str] = field(default_factory=list)


def draw(seed: int = 0) -> list[tuple[str, bytes]]:
    """The sample's (member path, JPEG bytes), sorted by path; the same bytes on each call."""
    return sorted(_with_faults(seed)[0].items())


def planted_faults(seed: int = 0) -> Faults:
    """The faults that `draw(seed)` holds, for tests of the audit."""
    return _with_faults(seed)[1]


def _with_faults(seed: int) -> tuple[dict[str, bytes], Faults]:
    members = dict(_faces(seed))
    faults = Faults()
    number = len(members)

    def add(label: str, data: bytes) -> str:
        nonlocal number
        path = f"train/{label}/Training_{number:05d}.jpg"
        members[path] = data
        number += 1
        return path

    def originals(prefix: str, count: int, start: int) -> list[str]:
        paths = [path for path in members if path.startswith(prefix)]
        return paths[start :: len(paths) // count][:count]

    for original in originals("train/", 4, 3):
        faults.duplicates.append((original, add(original.split("/")[1], members[original])))
    for original in originals("test/", 6, 2):
        faults.leaks.append((original, add(original.split("/")[1], members[original])))
    for original in originals("train/fear/", 3, 5):
        faults.conflicts.append((original, add("surprise", members[original])))
    for original in originals("train/happy/", 2, 7):
        coarse = _jpeg(np.asarray(Image.open(io.BytesIO(members[original]))), 40)
        faults.near_duplicates.append((original, add("happy", coarse)))
    for level in (0, 128, 255):
        faults.blanks.append(add("neutral", _jpeg(np.full((SIDE, SIDE), level, np.uint8), 90)))
    return members, faults


def _faces(seed: int) -> Iterator[tuple[str, bytes]]:
    number = 0
    for folder, usage in USAGES:
        for label, count in TRAIN.items():
            for _ in range(count if folder == "train" else count // HELD_OUT):
                rng = np.random.default_rng([seed, number])  # one face does not shift the others
                muscles = contraction(label, rng.uniform(FAINTEST, 1.0), rng)
                picture = portrait(identity(rng), muscles, looks(rng), rng)
                path = f"{folder}/{label}/{usage}_{number:05d}.jpg"
                yield path, _jpeg(picture, int(rng.integers(60, 96)))
                number += 1


def _jpeg(picture: np.ndarray, quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return stream.getvalue()
