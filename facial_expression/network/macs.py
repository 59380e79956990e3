"""Multiply-accumulates of a network: the cost of one picture, independent of the machine."""

import math

import keras
from keras import layers

COUNTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)


def macs(model: keras.Model) -> int:
    """Multiply-accumulates of the forward pass of one picture.

    Convolutions and `Dense` count each weight of a kernel once for each position of the output,
    padding included; everything else counts 0.  The model, which may hold others, is for pictures
    of a known size and calls each layer once.

    >>> macs(keras.Sequential([keras.Input((48, 48, 1)), layers.Conv2D(8, 3)])) == 46 * 46 * 9 * 8
    True
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += macs(layer)
        elif isinstance(layer, COUNTED):
            kernels = [weight.shape for weight in layer.weights if weight.name.endswith("kernel")]
            _, *sizes, _ = layer.output.shape
            total += sum(map(math.prod, kernels)) * math.prod(sizes)
    return total
