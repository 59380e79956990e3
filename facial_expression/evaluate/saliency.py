"""Where in a picture a network found its evidence: Grad-CAM."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ModelError
from facial_expression.evaluate.gradients import gradient

LOCAL = (layers.MaxPooling2D, layers.AveragePooling2D, layers.Dropout, layers.SpatialDropout2D)
"""What may stand between the last feature map and the flattening, and only coarsens it."""

Floats = NDArray[np.float32]


def grad_cam(
    model: keras.Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    batch_size: int = 64,
) -> Floats:
    """Grad-CAM of each picture for a class: how much each place spoke for that class.

    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization" (arXiv:1610.02391): the channels of the last feature map, each weighted by the
    mean gradient of the class's score before the softmax, are summed; what speaks against the
    class is cut off.  The map is as fine as that feature map (`fast`, `compact` and `best`: 3x3 for
    pictures of side 48); enlarging is bilinear.  A softmax that is no layer of its own stays in
    the score.

    Args:
        model: a network with one chain of layers between its last feature map and its output.
        images: uint8 (N, side, side).
        labels: int64 (N,), the class that is asked about.
        batch_size: pictures a pass.

    Returns:
        float32 (N, side, side) in [0, 1]: each map divided by its own maximum, so that maps of two
        pictures do not compare; all zero where nothing spoke for the class.

    Raises:
        ModelError: the network has no feature map that is flattened or averaged.
    """
    features = last_feature_map(model)
    body = keras.Model(model.input, features)
    head = keras.Model(features, _scores(model))
    side = images.shape[1]
    maps = np.zeros(images.shape, np.float32)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        values = ops.convert_to_numpy(body(images[part][..., None], training=False))
        coarse = _weighted(head, values, labels[part])
        for place, values_of_one in enumerate(coarse, start):
            maps[place] = _enlarged(values_of_one, side)
    return maps


def last_feature_map(model: keras.Model) -> keras.KerasTensor:
    """The last tensor (N, rows, columns, channels), before pooling, dropout and flattening.

    Raises:
        ModelError: there is none.
    """
    ends = [
        layer.input
        for layer in model.layers
        if not isinstance(layer, layers.InputLayer)
        and len(getattr(layer.input, "shape", ())) == 4  # Add takes a list
        and len(layer.output.shape) == 2
    ]
    if not ends or ends[-1] is model.input:
        raise ModelError(
            f"saliency: expected a network with a feature map that is flattened or averaged, "
            f"found none in '{model.name}'; Grad-CAM does not apply to it"
        )
    tensor = ends[-1]
    while isinstance(maker := tensor._keras_history.operation, LOCAL):
        tensor = maker.input
    return tensor


def _scores(model: keras.Model) -> keras.KerasTensor:
    """What the network gives before its softmax."""
    last = model.layers[-1]
    return last.input if isinstance(last, layers.Softmax) else model.output


def _weighted(head: keras.Model, values: Floats, labels: NDArray[np.int64]) -> Floats:
    """The rectified sum of the channels (N, rows, columns), each weighted by its mean gradient."""
    chosen = np.eye(head.output.shape[-1], dtype=np.float32)[labels]
    slopes = gradient(lambda point: ops.sum(head(point, training=False) * chosen), values)
    weights = slopes.mean(axis=(1, 2), keepdims=True)  # (N, 1, 1, channels)
    return np.maximum((values * weights).sum(axis=-1), 0)


def _enlarged(values: Floats, side: int) -> Floats:
    """A map (rows, columns) at (side, side), its maximum 1 unless all of it is 0."""
    large = np.asarray(Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR))
    return large / large.max() if large.max() > 0 else large
