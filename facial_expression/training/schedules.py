"""Learning-rate schedules: the share of the peak rate at each step of a run."""

from __future__ import annotations

from collections.abc import Callable

WARM_UP = 0.2  # of the run, for the triangular schedule


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


SCHEDULES: dict[str, Callable[[float], float]] = {"constant": constant, "triangular": triangular}
"""What `train.schedule` may name; each takes the progress of the run in [0, 1]."""
