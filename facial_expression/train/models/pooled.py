"""Our own family: a whitening stem and three stages that pool right after their first convolution.

The shape is airbench's (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
arXiv:2404.00498; github.com/KellerJordan/cifar10-airbench) for 48x48 grey pictures: a frozen
convolution with stride 2 whitens 5x5 patches, so that most of the work is done at 12x12 and 6x6
pixels, where a multiply-accumulate costs the least memory traffic.  The third convolution with a
shortcut is airbench96's.  Convolutions start as identities, so that depth does not slow the start.
"""

from __future__ import annotations

import keras
from keras import layers


def fast(x: keras.KerasTensor) -> keras.KerasTensor:
    """The shape of airbench (Jordan 2024): the quickest way to the seed's accuracy.

    295,927 parameters with 7 classes at side 48; 13.6 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 128), residual=False)


def compact(x: keras.KerasTensor) -> keras.KerasTensor:
    """`fast` with airbench96's third convolution and shortcut: for processors and browsers.

    490,359 parameters with 7 classes at side 48; 17.6 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 128), residual=True)


def slim(x: keras.KerasTensor) -> keras.KerasTensor:
    """`compact` with a wider last stage, just within 0.6 M parameters and 20 M operations.

    `tools.narrow` makes a start for it from the released network.
    578,215 parameters with 7 classes at side 48; 18.6 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 144), residual=True)


def best(x: keras.KerasTensor) -> keras.KerasTensor:
    """`compact` at twice the width, as airbench96 widens airbench, with dropout before the head.

    1,943,367 parameters with 7 classes at side 48; 64 M multiply-accumulates a picture.
    """
    return layers.Dropout(0.3)(_network(x, 32, (64, 128, 256), residual=True))


def lean(x: keras.KerasTensor) -> keras.KerasTensor:
    """The released network: `best` at three quarters of its cost, narrowed by `tools.narrow`.

    1,570,263 parameters with 7 classes at side 48; 48.3 M multiply-accumulates a picture.
    """
    return layers.Dropout(0.3)(_network(x, 24, (48, 128, 224), residual=True))


def _network(
    x: keras.KerasTensor, stem: int, widths: tuple[int, ...], residual: bool
) -> keras.KerasTensor:
    """The family; `train.start.initialise` reads the names of the layers."""
    x = layers.Conv2D(stem, 5, 2, padding="same", trainable=False, name="whitening")(x)
    x = layers.ReLU()(x)
    for stage, filters in enumerate(widths, 1):
        x = _convolution(x, filters, f"identity_{stage}a")
        x = layers.MaxPooling2D(2)(x)
        x = shortcut = _activated(x)
        x = _convolution(x, filters, f"identity_{stage}b")
        if residual:
            x = _convolution(_activated(x), filters, f"identity_{stage}c")
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
        else:
            x = _activated(x)
    return layers.GlobalAveragePooling2D(name="pooled")(x)


def _convolution(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    return layers.Conv2D(
        filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _activated(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
