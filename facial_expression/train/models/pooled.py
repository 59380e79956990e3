"""Our own family: a whitening stem and three stages that pool right after their first convolution.

The shape is airbench's (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
arXiv:2404.00498; github.com/KellerJordan/cifar10-airbench) for 48x48 grey pictures: 5x5 patches at
stride 2 (1 where the name says so: `large`, `fast_fine_stem`) are whitened by a frozen convolution,
so that most of the work happens at 12x12 and 6x6 pixels, where a multiply-accumulate costs the
least memory traffic.  A third convolution with a shortcut is airbench96's.  Convolutions begin as
identities, so that depth does not slow the start.
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

    Small enough to ship; recipe `distilled` fits it best, `compact` without a teacher.
    490,359 parameters with 7 classes at side 48; 17.6 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 128), residual=True)


def slim(x: keras.KerasTensor) -> keras.KerasTensor:
    """`compact` with a wider last stage, at the bounds of a small network: 0.6 M and 20 M.

    A start for it comes from `tools.narrow` (Li et al. 2017, "Pruning Filters for Efficient
    ConvNets", arXiv:1608.08710).
    578,215 parameters with 7 classes at side 48; 18.6 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 144), residual=True)


def best(x: keras.KerasTensor) -> keras.KerasTensor:
    """`compact` at twice the width, as airbench96 widens airbench: the most accurate by itself.

    1,943,367 parameters with 7 classes at side 48; 64 M multiply-accumulates a picture.
    """
    return _wide(x, 32, (64, 128, 256))


def lean(x: keras.KerasTensor) -> keras.KerasTensor:
    """`best` at three quarters of its cost: less width in stem, first and last stage.

    A start for it comes from `tools.narrow` (Li et al. 2017, "Pruning Filters for Efficient
    ConvNets", arXiv:1608.08710).
    1,570,263 parameters with 7 classes at side 48; 48.3 M multiply-accumulates a picture.
    """
    return _wide(x, 24, (48, 128, 224))


def mid(x: keras.KerasTensor) -> keras.KerasTensor:
    """Between `lean` and `best`: as wide as it may be to outrun mini-XCEPTION in int8.

    A start for it comes from `tools.narrow` (Li et al. 2017, "Pruning Filters for Efficient
    ConvNets", arXiv:1608.08710).
    1,748,647 parameters with 7 classes at side 48; 54.6 M multiply-accumulates a picture.
    """
    return _wide(x, 24, (56, 128, 240))


def large(x: keras.KerasTensor) -> keras.KerasTensor:
    """`best` with a stem that skips no pixel, and one and a half times as wide: for a GPU.

    4,366,567 parameters with 7 classes at side 48; 576 M multiply-accumulates a picture.
    """
    return _wide(x, 48, (96, 192, 384), stride=1)


def fast_fine_stem(x: keras.KerasTensor) -> keras.KerasTensor:
    """`fast` with a stem that skips no pixel: what work at 48x48 and 24x24 pixels is worth.

    295,927 parameters with 7 classes at side 48; 54.5 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 128), residual=False, stride=1)


def fast_learned_stem(x: keras.KerasTensor) -> keras.KerasTensor:
    """`fast` with a stem that starts at random and learns: what whitening is worth.

    295,927 parameters with 7 classes at side 48; 13.6 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 128), residual=False, stem_starts="random")


def fast_random_start(x: keras.KerasTensor) -> keras.KerasTensor:
    """`fast` with convolutions that start at random: what beginning as identities is worth.

    295,927 parameters with 7 classes at side 48; 13.6 M multiply-accumulates a picture.
    """
    return _network(x, 24, (32, 64, 128), residual=False, starts="random")


def fast_thin_stem(x: keras.KerasTensor) -> keras.KerasTensor:
    """`fast` with half the filters in its stem: what cheaper early layers are worth.

    292,159 parameters with 7 classes at side 48; 11.5 M multiply-accumulates a picture.
    """
    return _network(x, 12, (32, 64, 128), residual=False)


def _wide(
    x: keras.KerasTensor, stem: int, widths: tuple[int, ...], stride: int = 2
) -> keras.KerasTensor:
    """`compact` at other widths and another stride, with dropout in front of the head."""
    return layers.Dropout(0.3)(_network(x, stem, widths, residual=True, stride=stride))


def _network(
    x: keras.KerasTensor,
    stem: int,
    widths: tuple[int, ...],
    residual: bool,
    stride: int = 2,
    stem_starts: str = "whitening",
    starts: str = "identity",
) -> keras.KerasTensor:
    """The family; layers are named after how they start (see `initialise`)."""
    frozen = stem_starts == "whitening"
    x = layers.Conv2D(stem, 5, stride, padding="same", trainable=not frozen, name=stem_starts)(x)
    x = layers.ReLU()(x)
    for stage, filters in enumerate(widths, 1):
        x = _convolution(x, filters, f"{starts}_{stage}a")
        x = layers.MaxPooling2D(2)(x)
        x = shortcut = _activated(x)
        x = _convolution(x, filters, f"{starts}_{stage}b")
        if residual:
            x = _convolution(_activated(x), filters, f"{starts}_{stage}c")
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
