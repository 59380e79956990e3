"""Networks, one builder each: uint8 pictures (N, side, side, 1) -> class probabilities.

The first layer of every network rescales pictures to [0, 1], so that training and serving share
one definition of the input; the last two are `logits` and their softmax, `probabilities`.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from facial_expression.core.errors import ModelError
from facial_expression.train.models.pooled import best, compact, fast, lean, slim
from facial_expression.train.models.simple import seed, small

Builder = Callable[[keras.KerasTensor], keras.KerasTensor]

BUILDERS: dict[str, Builder] = {
    builder.__name__: builder for builder in (seed, small, fast, compact, slim, lean, best)
}
"""The networks that `train.model` may name: (N, side, side, 1) in [0, 1] -> (N, features)."""


def build(name: str, side: int, classes: int, precision: str = "float32") -> keras.Model:
    """An untrained network.

    Args:
        name: a key of `BUILDERS`.
        side: of the square pictures, in pixels.
        classes: number of classes, at least 2.
        precision: Keras' dtype policy; the head is always float32.

    Returns:
        A model from uint8 (N, side, side, 1) to float32 (N, classes); rows sum to 1.

    Raises:
        ModelError: the name is unknown, or the pictures are too small for the network.
    """
    if name not in BUILDERS:
        raise ModelError(f"train.model: expected one of {', '.join(BUILDERS)}, found '{name}'")
    keras.utils.clear_session()  # automatic names restart, so that equal models are equal bytes
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        pictures = keras.Input((side, side, 1), dtype="uint8", name="pictures")
        features = BUILDERS[name](layers.Rescaling(1 / 255, name="rescaling")(pictures))
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"train.model: '{name}' does not fit pictures of side {side}: {reason}; "
            "raise preprocess.side"
        ) from None
    finally:
        keras.config.set_dtype_policy(before)
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    probabilities = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(pictures, probabilities, name=name)


def logits_of(model: keras.Model) -> keras.Model:
    """The same network without its softmax, for the loss; both share their variables."""
    return keras.Model(model.input, model.get_layer("logits").output, name=model.name)
