"""Saliency maps: which places of a picture spoke for a class, by Grad-CAM."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.arrays import choose
from facial_expression.core.errors import ModelError

LOCAL = (layers.MaxPooling2D, layers.AveragePooling2D, layers.Dropout, layers.SpatialDropout2D)
"""Layers between the last feature map and the flattening that only make the map coarser."""

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def choose_predictions(
    actual: Labels, predicted: Labels, classes: int, per_class: int, seed: int
) -> Labels:
    """Up to `per_class` right and as many wrong predictions of each actual class, at random.

    Each class, right and wrong apart, has its own random generator, so that no choice depends on
    the others.  Labels are int64 (N,).  Gives rows, int64: by class, right before wrong, ascending.
    """
    rows = []
    for label in range(classes):
        for wrong in (0, 1):
            among = np.flatnonzero((actual == label) & ((predicted != actual) == wrong))
            rows.append(choose(among, per_class, [seed, label, wrong]))
    return np.concatenate(rows).astype(np.int64)


def grad_cam(
    model: keras.Model, images: NDArray[np.uint8], labels: Labels, batch_size: int = 64
) -> Floats:
    """How much each place of pictures, uint8 (N, side, side), speaks for a class, int64 (N,).

    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization" (arXiv:1610.02391).  Each channel of the last feature map is weighted by the mean
    gradient of the class's score before the softmax; the sum is cut off at 0.  The map is as fine
    as that feature map (3x3 in most networks of this project) and enlarged bilinearly.  A softmax
    inside the last dense layer stays in the score.  One chain of layers leads from map to output.

    The result is float32 (N, side, side) in [0, 1].  Each map is divided by its own maximum, so
    maps of two pictures cannot be compared; it is 0 everywhere if nothing speaks for the class.  A
    ModelError if the network has no feature map that is flattened or averaged.
    """
    features = last_feature_map(model)
    body = keras.Model(model.input, features)
    last = model.layers[-1]
    head = keras.Model(features, last.input if isinstance(last, layers.Softmax) else model.output)
    one_hot = np.eye(model.output_shape[-1], dtype=np.float32)
    side = images.shape[1]
    maps = np.zeros(images.shape, np.float32)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        values = ops.convert_to_numpy(body(images[part][..., None], training=False))

        def score(at: Any, chosen: Floats = one_hot[labels[part]]) -> Any:
            return ops.sum(head(at, training=False) * chosen)

        weights = gradient(score, values).mean(axis=(1, 2), keepdims=True)  # (N, 1, 1, channels)
        for place, coarse in enumerate(np.maximum((values * weights).sum(axis=-1), 0), start):
            large = Image.fromarray(coarse).resize((side, side), Image.Resampling.BILINEAR)
            maps[place] = np.asarray(large)
            maps[place] /= maps[place].max() or 1
    return maps


def last_feature_map(model: keras.Model) -> keras.KerasTensor:
    """The last tensor (N, rows, columns, channels), before pooling, dropout and flattening."""
    ends = [
        layer.input
        for layer in model.layers
        if not isinstance(layer, layers.InputLayer)
        and len(getattr(layer.input, "shape", ())) == 4  # Add takes a list
        and len(layer.output.shape) == 2
    ]
    if not ends or ends[-1] is model.input:
        raise ModelError(
            f"saliency maps: expected a network with a feature map that is flattened or averaged, "
            f"found none in '{model.name}'; Grad-CAM does not apply to it"
        )
    tensor = ends[-1]
    while isinstance(maker := tensor._keras_history.operation, LOCAL):
        tensor = maker.input
    return tensor


def gradient(function: Callable[[Any], Any], at: Floats) -> Floats:
    """The gradient of a scalar `function` of Keras operations at `at`; the same shape."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(at), np.float32)
    import tensorflow as tf

    point = tf.convert_to_tensor(at)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        value = function(point)
    return np.asarray(tape.gradient(value, point), np.float32)
