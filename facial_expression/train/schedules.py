"""Learning-rate schedules: the share of the peak rate at each step of a run."""

from __future__ import annotations

import math
from collections.abc import Callable

WARM_UP = 0.2  # of the run, for the triangular schedule
SHORT_WARM_UP = 0.05  # of the run, for the cosine


def constant(progress: float) -> float:
    """The peak rate throughout."""
    return 1.0


def triangular(progress: float) -> float:
    """Linearly up to the peak after a fifth of the run, then linearly down to zero.

    Smith and Topin 2019, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", in the shape that cifar10-fast gave it.

    >>> [triangular(p) for p in (0.0, 0.1, 0.2, 0.6, 1.0)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return min(progress / WARM_UP, (1.0 - progress) / (1.0 - WARM_UP))


def cosine(progress: float) -> float:
    """Linearly up to the peak in a twentieth of the run, then down to zero along half a cosine.

    Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", without the
    restarts; the steep start is Goyal et al.'s 2017 ("Accurate, Large Minibatch SGD").

    >>> [round(cosine(p), 6) for p in (0.0, 0.05, 0.525, 1.0)]
    [0.0, 1.0, 0.5, 0.0]
    """
    if progress < SHORT_WARM_UP:
        return progress / SHORT_WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (progress - SHORT_WARM_UP) / (1.0 - SHORT_WARM_UP))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "triangular": triangular,
    "cosine": cosine,
}
"""What `train.schedule` may name; each takes the progress of the run in [0, 1]."""
