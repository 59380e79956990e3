"""Multiply-accumulates of a network: the cost of one picture, independent of the machine."""

from __future__ import annotations

import math

import keras
from keras import layers


def macs(model: keras.Model) -> int:
    """Multiply-accumulates of the forward pass of one picture.

    `Conv2D`, `DepthwiseConv2D`, `SeparableConv2D` and `Dense`, with their subclasses, count each
    weight of a kernel once for each position of the output; so groups, strides, dilation and
    padding (whose zeros count) are included.  Nested models are counted too.  Everything else
    counts 0: biases, normalisation, activations, pooling, additions, rescaling.

    Args:
        model: a built functional or sequential model for pictures of a known size, in which each
            layer is called once.

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
