"""Networks, one builder each: uint8 pictures (N, side, side, 1) in, class probabilities out.

Every network rescales to [0, 1] in its first layer, so that training and serving share one
definition of the input.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from facial_expression.errors import ModelError


def build(name: str, side: int, classes: int) -> keras.Model:
    """An untrained network.

    Args:
        name: a key of `BUILDERS`.
        side: pixels of the square pictures.
        classes: number of classes, at least 2.

    Returns:
        A model from uint8 (N, side, side, 1) to float32 (N, classes); rows sum to 1.

    Raises:
        ModelError: the name is unknown, or the pictures are too small for the network.
    """
    if name not in BUILDERS:
        raise ModelError(f"train.model: expected one of {', '.join(BUILDERS)}, found '{name}'")
    keras.utils.clear_session()  # automatic names restart, so that equal models are equal bytes
    pictures = keras.Input((side, side, 1), dtype="uint8", name="pictures")
    x = layers.Rescaling(1 / 255, name="rescaling")(pictures)
    try:
        features = BUILDERS[name](x)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"train.model: '{name}' does not fit pictures of side {side}: {reason}; "
            "raise preprocess.side"
        ) from None
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return keras.Model(pictures, probabilities, name=name)


def seed(x: keras.KerasTensor) -> keras.KerasTensor:
    """The seed notebook's network: four convolutions without padding, two dense layers.

    4,232,199 parameters with 7 classes at side 48; 218 M multiply-accumulates a picture.
    """
    for filters in (128, 256, 512, 512):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.4)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(256, activation="relu")(x)
    return layers.Dropout(0.3)(x)


def small(x: keras.KerasTensor) -> keras.KerasTensor:
    """A small network for the sample: four convolutions with batch normalisation.

    85,367 parameters with 7 classes at side 48; learns a thousand drawn faces in seconds.
    """
    for filters in (16, 32, 64, 96):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return layers.Dropout(0.3)(x)


BUILDERS: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "seed": seed,
    "small": small,
}
"""The networks that `train.model` may name."""
