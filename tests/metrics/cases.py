"""Labels and probabilities for the tests of this folder."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Case = tuple[NDArray[np.int64], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn, min_classes: int = 2, most: int = 40) -> Case:
    """Labels (N,) and probabilities (N, classes); often classes that occur nowhere, and ties."""
    count = draw(st.integers(1, most))
    classes = draw(st.integers(min_classes, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    present = rng.choice(classes, draw(st.integers(1, classes)), replace=False)
    probabilities = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.05, 0.5, 5.0]))), count)
    match draw(st.sampled_from(["as drawn", "float32", "few"])):
        case "float32":  # as a model gives them
            probabilities = probabilities.astype(np.float32).astype(np.float64)
        case "few":  # many rows are as sure as another
            probabilities = probabilities[rng.integers(0, min(3, count), count)]
    return rng.choice(present, count), probabilities


def calibrated(n: int, classes: int, seed: int) -> Case:
    """Labels drawn from the very probabilities that stand beside them."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.5), n)
    labels = (rng.random(n)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    return np.minimum(labels, classes - 1), probabilities


def sharpened(probabilities: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Probabilities to the power `factor`, rows summing to 1: surer by a known temperature."""
    powers = probabilities**factor
    return powers / powers.sum(axis=1, keepdims=True)
