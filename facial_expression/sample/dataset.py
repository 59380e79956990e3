"""The embedded sample: drawn faces in FER2013's layout, with a few known faults of FER2013's kinds.

No picture shows a real person, and scores on it are synthetic.  The classes are imbalanced like
those of FER2013, with more of disgust.  Expressions vary from faint to full, so that a network
confuses what people confuse.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.sample.brush import SIDE
from facial_expression.sample.faces import contraction, identity
from facial_expression.sample.portraits import looks, portrait

CLASSES = {
    "angry": (140, 0.6),
    "disgust": (30, 0.4),
    "fear": (140, 0.35),
    "happy": (250, 0.4),
    "neutral": (170, 0.0),
    "sad": (160, 0.3),
    "surprise": (110, 0.35),
}
"""Class -> pictures in `Training`, and the lowest intensity of the expression (1 is the full)."""

USAGES = {"Training": ("train", 1), "PublicTest": ("test", 5), "PrivateTest": ("test", 5)}
"""FER2013's usages: the folder, and the divisor of the count in `Training`."""

Pairs = tuple[tuple[str, str], ...]
"""Member paths of pictures and of their copies."""


@dataclass(frozen=True)
class Faults:
    """The faults that the sample holds on purpose; no other two pictures have equal pixels."""

    duplicates: Pairs  # equal pixels in other bytes, in train, same class; two share a picture
    leaks: Pairs  # equal files of one class, the first in train, the second in test
    conflicts: Pairs  # equal files in train under two classes
    near_duplicates: Pairs  # the copy is encoded again with lower quality, in train or in test
    blanks: tuple[str, ...]  # pictures of one grey level


def draw() -> list[tuple[str, bytes]]:
    """(member path, bytes of a grey 48x48 JPEG), 1,400 sorted by path; the same on each call."""
    faults = planted_faults()
    planted = faults.duplicates + faults.leaks + faults.conflicts + faults.near_duplicates
    copies = {copy for _, copy in planted}
    members = {}
    for number, path in enumerate(_paths()):
        if path not in copies:
            expression = path.split("/")[1]
            rng = np.random.default_rng([0, number])  # its own, so that no face shifts the others
            level = rng.uniform(CLASSES[expression][1], 1.0)
            muscles = contraction(expression, level, rng)
            face = portrait(identity(rng), muscles, looks(rng), rng)
            members[path] = _jpeg(face, int(rng.integers(60, 96)))
    for path, copy in faults.leaks + faults.conflicts:
        members[copy] = members[path]
    for path, copy in faults.duplicates:  # a comment follows the start-of-image marker
        members[copy] = members[path][:2] + b"\xff\xfe\x00\x06copy" + members[path][2:]
    for path, copy in faults.near_duplicates:
        members[copy] = _jpeg(np.asarray(Image.open(io.BytesIO(members[path]))), 40)
    for path, level in zip(faults.blanks, (0, 128, 255), strict=True):
        members[path] = _jpeg(np.full((SIDE, SIDE), level, np.uint8), 90)
    return sorted(members.items())


def planted_faults() -> Faults:
    """The faults in the pictures of `draw`, so that an audit can be compared with them."""
    rng = np.random.default_rng([0, len(CLASSES), sum(count for count, _ in CLASSES.values())])
    free: dict[str, list[str]] = {}  # folder/class -> paths
    for path in _paths():
        free.setdefault(path.rpartition("/")[0], []).append(path)
    for paths in free.values():
        rng.shuffle(paths)

    def pairs(names: str, folder: str = "train", copies: str = "") -> Pairs:
        """Pictures of these classes in train, with copies in `folder`, maybe of other classes."""
        classes = zip(names.split(), (copies or names).split(), strict=True)
        return tuple(
            (free[f"train/{one}"].pop(), free[f"{folder}/{two}"].pop()) for one, two in classes
        )

    twin = pairs("happy")
    another = (twin[0][0], free["train/happy"].pop())
    return Faults(
        duplicates=(*twin, another, *pairs("angry fear neutral sad surprise")),
        leaks=pairs("angry happy happy neutral sad", "test"),
        conflicts=pairs("fear sad angry", copies="surprise neutral disgust"),
        near_duplicates=pairs("happy surprise") + pairs("neutral", "test"),
        blanks=tuple(free[place].pop() for place in ("train/neutral", "train/sad", "test/angry")),
    )


def _paths() -> Iterator[str]:
    """The member path of every picture; the classes come in random order."""
    rng = np.random.default_rng([0, len(CLASSES)])
    for usage, (folder, share) in USAGES.items():
        names = [name for name, (count, _) in CLASSES.items() for _ in range(count // share)]
        for number, row in enumerate(rng.permutation(len(names))):
            yield f"{folder}/{names[row]}/{usage}_{number}.jpg"


def _jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()
