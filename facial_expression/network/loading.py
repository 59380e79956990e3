"""A classifier of unknown origin, checked before it is used."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import ModelError
from facial_expression.network import keras_file


def load_classifier(path: Path, classes: int, side: int | None = None) -> tuple[keras.Model, int]:
    """Read a `.keras` file that turns grey squares into probabilities of `classes` classes.

    Args:
        path: of the file.
        classes: how many there are.
        side: of the pictures, if it is known.

    Returns:
        The model and the side of its pictures: it takes (N, side, side, 1).

    Raises:
        ModelError: the file is missing, is no Keras model, or is for other pictures or classes.
    """
    model = keras_file.load(path)
    match model.input_shape, model.output_shape:
        case (None, int(height), int(width), 1), (None, int(outputs)):
            if height == width == (side or height) and outputs == classes:
                return model, height
    edge = side or "side"
    raise ModelError(
        f"{path}: expected a model that turns squares (None, {edge}, {edge}, 1) into {classes} "
        f"classes (None, {classes}), found one from {model.input_shape} to {model.output_shape}; "
        "name the classes.json that it was trained with, or another model"
    )


def check_probabilities(path: Path, rows: NDArray[np.float64]) -> None:
    """Raise ModelError unless every row (N, classes) is a distribution over the classes."""
    if not np.isfinite(rows).all():
        raise ModelError(f"{path}: predicts NaN or infinity; train it again")
    low, sums = float(rows.min()), rows.sum(axis=1)
    if low < 0 or np.abs(sums - 1).max() > 1e-3:
        raise ModelError(
            f"{path}: expected probabilities that are at least 0 and sum to 1, found values "
            f"from {low:.3g} and sums from {sums.min():.3g} to {sums.max():.3g}; "
            "end the network with a softmax"
        )
