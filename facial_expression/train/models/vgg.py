"""A small VGG with batch normalisation, as published for FER2013: a rival."""

from __future__ import annotations

import keras
from keras import layers


def vgg_bn(x: keras.KerasTensor) -> keras.KerasTensor:
    """The VGG of 73.28 % on FER2013 (ten crops, 300 epochs), as its code has it.

    Khaireddin and Chen 2021, "Facial Emotion Recognition: State of the Art Performance on
    FER2013" (arXiv 2105.03588; github.com/usef-kh/fer, models/vgg.py).  They train it on 40-pixel
    crops, where 2x2 cells reach the dense layers; at 48 pixels it is 3x3.

    40,380,359 parameters with 7 classes at side 48; 504 M multiply-accumulates a picture.
    """
    for filters in (64, 128, 256, 512):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", **_as_in_torch(x, 9))(x)
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(4096, **_as_in_torch(x))(x)
        x = layers.Dropout(0.2)(x)
        x = layers.ReLU()(x)
    return x


def _as_in_torch(x: keras.KerasTensor, taps: int = 1) -> dict[str, keras.initializers.Initializer]:
    """PyTorch's own start, which they keep: uniform within 1 / sqrt(inputs of a unit)."""
    limit = (x.shape[-1] * taps) ** -0.5
    draw = keras.initializers.RandomUniform
    return {"kernel_initializer": draw(-limit, limit), "bias_initializer": draw(-limit, limit)}
