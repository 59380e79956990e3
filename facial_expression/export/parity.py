"""Whether two forms of one network say the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from facial_expression.metrics.scores import Probabilities

DECISIVE = 1e-3
"""Where the two best probabilities of a picture lie closer, either may be called the best."""
LIMIT = 1e-4
"""How far a probability may be from its twin."""


class Parity(NamedTuple):
    """What a comparison of probabilities (N, classes) found.

    Attributes:
        n: pictures.
        decisive: those whose two best classes differ by more than `DECISIVE`.
        other_class: decisive ones for which the other form names another class.
        largest_difference: between a probability and its twin, in [0, 1].
    """

    n: int
    decisive: int
    other_class: int
    largest_difference: float

    @property
    def holds(self) -> bool:
        """Whether the forms can stand for one another."""
        return self.other_class == 0 and self.largest_difference <= LIMIT


def parity(expected: Probabilities, found: Probabilities) -> Parity:
    """Compare float probabilities (N, classes), at least 2 classes, of the same N pictures."""
    second, first = np.sort(expected, axis=1)[:, -2:].T
    decisive = first - second > DECISIVE
    other = expected.argmax(axis=1) != found.argmax(axis=1)
    return Parity(
        n=len(expected),
        decisive=int(decisive.sum()),
        other_class=int((decisive & other).sum()),
        largest_difference=float(np.abs(expected - found).max(initial=0)),
    )
