"""Multiply-accumulates of a network: the cost of one picture, independent of the machine."""

from __future__ import annotations

import math

import keras
from keras import layers


def macs(model: keras.Model) -> int:
    """Multiply-accumulates of the forward pass of one picture.

    Convolutions (`Conv2D`, `DepthwiseConv2D`, `SeparableConv2D`) and `Dense` count each weight of a
    kernel once for each position of the output, padding included; everything else counts 0.  The
    model, which may hold others, is for pictures of a known size and calls each layer once.

    >>> macs(keras.Sequential([keras.Input((48, 48, 1)), layers.Conv2D(8, 3)])) == 46 * 46 * 9 * 8
    True
    """
    return sum(_of_layer(layer) for layer in model.layers)


def _of_layer(layer: layers.Layer) -> int:
    if isinstance(layer, keras.Model):
        return macs(layer)
    if isinstance(layer, layers.SeparableConv2D):
        weights = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
    elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
        weights = math.prod(layer.kernel.shape)
    else:
        return 0
    _, *sizes = layer.output.shape
    sizes.pop(0 if getattr(layer, "data_format", None) == "channels_first" else -1)
    return weights * math.prod(sizes)
