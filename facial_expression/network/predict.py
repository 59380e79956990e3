"""The output of a network for many pictures, in batches of one size, and averaged over views."""

from __future__ import annotations

import itertools

import keras
import numpy as np
from numpy.typing import NDArray

from facial_expression.network.resampling import shifted

MOVE = 3  # pixels between two views


def predicted(
    model: keras.Model, images: NDArray[np.uint8], batch_size: int = 512
) -> NDArray[np.float32]:
    """A network's output, float32 (N, classes), for uint8 pictures (N, side, side), N at least 1.

    The last batch is filled up with earlier pictures: another size would be compiled again.
    """
    size = min(batch_size, len(images))
    rows = np.resize(np.arange(len(images)), (-(-len(images) // size), size))
    parts = [np.asarray(model.predict_on_batch(images[row][..., None])) for row in rows]
    return np.concatenate(parts)[: len(images)].astype(np.float32)


def log_loss_and_accuracy(
    logits: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[float, float]:
    """Mean log loss in nats and accuracy of logits (N, classes) against int64 labels (N,)."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    chosen = wide[np.arange(len(labels)), labels]
    loss = np.log(np.exp(wide).sum(axis=1)) - chosen
    return float(loss.mean()), float((wide.argmax(axis=1) == labels).mean())


def averaged_predictions(
    model: keras.Model, images: NDArray[np.uint8], batch_size: int = 512
) -> dict[str, NDArray[np.float64]]:
    """A network's mean output over the views of each picture, float64 (N, classes), by kind.

    `plain` is the picture alone; `flip` averages it and its mirror image; `views` averages both,
    moved by -3, 0 and 3 pixels along each axis, 18 in all, with the edges repeated.  The pictures
    are uint8 (N, side, side); the model's output is probabilities.
    """
    moves = list(itertools.product((-MOVE, 0, MOVE), repeat=2))
    every = np.ones(len(images), np.int64)
    outputs = {
        (mirror, *move): predicted(
            model, shifted(images, every * mirror == 1, *(every * way for way in move)), batch_size
        ).astype(np.float64)
        for mirror in (False, True)
        for move in moves
    }
    plain, mirrored = outputs[False, 0, 0], outputs[True, 0, 0]
    return {
        "plain": plain,
        "flip": (plain + mirrored) / 2,
        "views": sum(outputs.values(), np.zeros(())) / len(outputs),
    }
