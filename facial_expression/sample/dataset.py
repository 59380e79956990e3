"""The embedded sample: drawn faces in FER2013's layout, with a few known faults of FER2013's kinds.

No picture shows a real person, and scores on it are synthetic.  The classes are imbalanced like
those of FER2013, with more of disgust.  Expressions vary from faint to full, so that a network
confuses what people confuse.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.sample.brush import SIDE
from facial_expression.sample.faces import contraction, identity
from facial_expression.sample.portraits import looks, portrait

COUNTS = {
    "angry": 140,
    "disgust": 30,
    "fear": 140,
    "happy": 250,
    "neutral": 170,
    "sad": 160,
    "surprise": 110,
}
"""Pictures of each class in `Training`."""

USAGES = {"Training": ("train", 1), "PublicTest": ("test", 5), "PrivateTest": ("test", 5)}
"""FER2013's usages: the folder, and the divisor of `COUNTS`."""

FAINTEST = {
    "angry": 0.6,
    "disgust": 0.4,
    "fear": 0.35,
    "happy": 0.4,
    "neutral": 0.0,
    "sad": 0.3,
    "surprise": 0.35,
}
"""The lowest intensity of each expression, as a share of the full one."""

QUALITIES = (60, 96)  # of the JPEG files
COARSE = 40  # quality of a near-duplicate

Pair = tuple[str, str]
"""Member paths of a picture and of its copy."""


@dataclass(frozen=True)
class Faults:
    """The faults that the sample holds on purpose, as member paths (of a picture, and of its copy).

    Apart from `duplicates`, `leaks` and `conflicts`, no two pictures have equal pixels.

    Attributes:
        duplicates: equal pixels in other bytes, in train, same class; two pairs share a picture.
        leaks: equal files of one class, the first in train, the second in test.
        conflicts: equal files in train under two classes.
        near_duplicates: the copy is encoded again with lower quality, in train or in test.
        blanks: pictures of one grey level.
    """

    duplicates: tuple[Pair, ...]
    leaks: tuple[Pair, ...]
    conflicts: tuple[Pair, ...]
    near_duplicates: tuple[Pair, ...]
    blanks: tuple[str, ...]


def draw(seed: int = 0) -> list[tuple[str, bytes]]:
    """The sample's (member path, JPEG bytes), sorted by path; the same bytes on each call.

    The pictures are grey, 48x48, 1,400 in all.
    """
    faults = planted_faults(seed)
    planted = (*faults.duplicates, *faults.leaks, *faults.conflicts, *faults.near_duplicates)
    copies = {copy for _, copy in planted}
    members = {}
    for number, (path, expression) in enumerate(_places(seed)):
        if path not in copies:  # each face has its own generator, so none shifts the others
            members[path] = _face(expression, np.random.default_rng([seed, number]))
    for path, copy in faults.leaks + faults.conflicts:
        members[copy] = members[path]
    for path, copy in faults.duplicates:
        members[copy] = _annotated(members[path])
    for path, copy in faults.near_duplicates:
        members[copy] = _jpeg(np.asarray(Image.open(io.BytesIO(members[path]))), COARSE)
    for path, level in zip(faults.blanks, (0, 128, 255), strict=True):
        members[path] = _jpeg(np.full((SIDE, SIDE), level, np.uint8), 90)
    return sorted(members.items())


def planted_faults(seed: int = 0) -> Faults:
    """The faults in the pictures of `draw(seed)`, so that an audit can be compared with them."""
    rng = np.random.default_rng([seed, len(COUNTS), sum(COUNTS.values())])
    free: dict[tuple[str, str], list[str]] = {}
    for path, expression in _places(seed):
        free.setdefault((path.split("/")[0], expression), []).append(path)
    for paths in free.values():
        rng.shuffle(paths)

    def pair(expression: str, folder: str = "train", other: str = "") -> Pair:
        return free["train", expression].pop(), free[folder, other or expression].pop()

    twin = pair("happy")
    return Faults(
        duplicates=(
            twin,
            (twin[0], free["train", "happy"].pop()),
            *(pair(expression) for expression in ("angry", "fear", "neutral", "sad", "surprise")),
        ),
        leaks=tuple(pair(name, "test") for name in ("angry", "happy", "happy", "neutral", "sad")),
        conflicts=tuple(
            pair(name, other=other)
            for name, other in (("fear", "surprise"), ("sad", "neutral"), ("angry", "disgust"))
        ),
        near_duplicates=(pair("happy"), pair("surprise"), pair("neutral", "test")),
        blanks=tuple(
            free[place].pop()
            for place in (("train", "neutral"), ("train", "sad"), ("test", "angry"))
        ),
    )


def _places(seed: int) -> Iterator[tuple[str, str]]:
    """(member path, expression) of every picture; the classes come in random order."""
    rng = np.random.default_rng([seed, len(COUNTS)])
    for usage, (folder, share) in USAGES.items():
        names = [name for name, count in COUNTS.items() for _ in range(count // share)]
        for number, row in enumerate(rng.permutation(len(names))):
            yield f"{folder}/{names[row]}/{usage}_{number}.jpg", names[row]


def _face(expression: str, rng: np.random.Generator) -> bytes:
    muscles = contraction(expression, rng.uniform(FAINTEST[expression], 1.0), rng)
    return _jpeg(portrait(identity(rng), muscles, looks(rng), rng), int(rng.integers(*QUALITIES)))


def _jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def _annotated(jpeg: bytes) -> bytes:
    """The same picture in other bytes: a comment follows the start-of-image marker."""
    return jpeg[:2] + b"\xff\xfe\x00\x06copy" + jpeg[2:]
