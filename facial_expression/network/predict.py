"""The output of a network for many pictures, in batches of one size, and averaged over views."""

import itertools

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from facial_expression.core.arrays import Rows
from facial_expression.network.devices import ALONE, Devices
from facial_expression.network.resampling import shifted

MOVE = 3  # pixels between two views


def predicted(
    model: keras.Model, images: Rows, batch_size: int = 512, devices: Devices = ALONE
) -> NDArray[np.float32]:
    """A network's output, float32 (N, classes), for uint8 pictures (N, side, side), N at least 1.

    The last batch is filled up with earlier pictures: another size would be compiled again.
    `devices` share the network and each batch.
    """
    size = -(-min(batch_size, len(images)) // devices.number) * devices.number
    rows = np.resize(np.arange(len(images)), (-(-len(images) // size), size))
    batches = (devices.joined(images[devices.part(row)][..., None]) for row in rows)
    parts = [np.asarray(model.predict_on_batch(batch)) for batch in batches]
    return np.concatenate(parts)[: len(images)].astype(np.float32)


def logits_of(model: keras.Model) -> keras.Model:
    """The same network without the softmax that is its last layer; both share their variables."""
    return keras.Model(model.input, model.layers[-1].input, name=model.name)


def predicted_logits(
    model: keras.Model, images: Rows, batch_size: int = 512
) -> NDArray[np.float64]:
    """The logits, float64 (N, classes), of a network of probabilities; arguments as in `predicted`.

    They tell sure answers apart where probabilities are 0 and 1.  If the softmax is no layer of its
    own, the logits are logarithms of the probabilities, which float32 cuts off.
    """
    if isinstance(model.layers[-1], layers.Softmax):
        return predicted(logits_of(model), images, batch_size).astype(np.float64)
    probabilities = predicted(model, images, batch_size).astype(np.float64)
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))


def averaged_predictions(
    model: keras.Model, images: Rows, batch_size: int = 512
) -> dict[str, NDArray[np.float64]]:
    """A network's mean output over the views of each picture, float64 (N, classes), by kind.

    `plain` is the picture alone; `flip` averages it and its mirror image; `views` averages both,
    moved by -3, 0 and 3 pixels along each axis, 18 in all, with the edges repeated.  The pictures
    are uint8 (N, side, side); the model's output is probabilities.
    """
    pictures = np.asarray(images)  # read once for all views

    def seen(*view: int) -> NDArray[np.float64]:  # mirrored or not, pixels down, to the right
        mirror, down, right = np.broadcast_to(np.array(view)[:, None], (3, len(images)))
        moved = shifted(pictures, mirror == 1, down, right)
        return predicted(model, moved, batch_size).astype(np.float64)

    moves = (-MOVE, 0, MOVE)
    outputs = {view: seen(*view) for view in itertools.product((False, True), moves, moves)}
    plain, mirrored = outputs[False, 0, 0], outputs[True, 0, 0]
    return {
        "plain": plain,
        "flip": (plain + mirrored) / 2,
        "views": sum(outputs.values(), np.zeros(())) / len(outputs),
    }
