"""Whether two forms of one network predict the same."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating]
DECISIVE = (
    1e-3  # if a picture's two largest probabilities are closer, either class may be predicted
)
LIMIT = 1e-4  # largest difference allowed between a probability in one form and in the other


class Parity(NamedTuple):
    """A comparison of the probabilities of pictures in two forms."""

    n: int  # pictures
    decisive: int  # those whose two largest probabilities differ by more than `DECISIVE`
    other_class: int  # decisive ones for which the other form predicts another class
    largest_difference: float  # between a probability in one form and in the other, in [0, 1]

    @property
    def holds(self) -> bool:
        """Whether one form may replace the other."""
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
