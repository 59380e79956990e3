"""Weight averaging: the mean of many late steps generalises better than the last one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = list[NDArray[Any]]


def averaged(average: Sequence[NDArray[Any]], values: Values, decay: float) -> Values:
    """One update of an exponential moving average, over all variables of a network.

    Polyak and Juditsky 1992; with a late start as in Izmailov et al. 2018, "Averaging Weights Leads
    to Wider Optima".  Normalisation's moving statistics are averaged with the rest; what is no
    floating-point number (the state of a random generator) is taken as it is.

    Args:
        average: what the last update gave; empty before the first one, which takes `values`.
        values: the variables now.
        decay: weight of the average so far, in [0, 1).

    Returns:
        decay * average + (1 - decay) * values, in the dtypes of `values`.
    """
    if not average:
        return [value.copy() for value in values]
    return [
        before + (value - before) * value.dtype.type(1 - decay)
        if np.issubdtype(value.dtype, np.floating)
        else value.copy()
        for before, value in zip(average, values, strict=True)
    ]
