"""The same training steps in less time, on TensorFlow.

Keras computes batch normalisation by many operations; TensorFlow has one for all of them, whose
sums are in float32 too.  XLA makes one loop of the many operations of PReLU and its gradients.
In bfloat16, oneDNN computes the gradients of large kernels on small maps slowly: a convolution of
the maps with the gradients of what was made of them takes less time.  The gradients of depthwise
convolutions with stride 2 are slow as well: a convolution with stride 1 makes them.  Those of
kernels of one pixel are products of matrices.  Elsewhere oneDNN is quicker.
"""

import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers

LARGE = 100  # weights of a kernel's pixel, for each pixel of the map


def speed_up(model: keras.Model) -> None:
    """Make the layers of a network train quicker, where there is a quicker way.

    Statistics and gradients differ by rounding; predictions are the same bits.  The model is saved
    with the plain layers.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if not layer.trainable or layer.compute_dtype not in ("bfloat16", "float32"):
            continue
        if type(layer) is layers.BatchNormalization and len(layer.output.shape) == 4:
            layer.call = normalisation(layer)
        elif type(layer) is layers.PReLU and layer.alpha.shape[:-1] == (1, 1):
            layer.call = activation(layer)
        elif (
            type(layer) is layers.Conv2D
            and layer.compute_dtype == "bfloat16"
            and (layer.strides, layer.dilation_rate, layer.groups) == ((1, 1), (1, 1), 1)
        ):
            if layer.kernel_size == (1, 1):
                layer.convolution_op = pointwise()
            elif math.prod(layer.kernel.shape[2:]) > LARGE * math.prod(layer.output.shape[1:3]):
                layer.convolution_op = convolution(layer.padding.upper())
        elif (
            type(layer) is layers.DepthwiseConv2D
            and layer.compute_dtype == "bfloat16"
            and (layer.strides, layer.dilation_rate, layer.padding) == ((2, 2), (1, 1), "valid")
            and (layer.depth_multiplier, layer.use_bias) == (1, False)
            and layer.activation is keras.activations.linear
        ):
            layer.call = halving(layer)


def normalisation(layer: layers.BatchNormalization) -> Callable[..., Any]:
    """What the layer does with maps (N, height, width, C) of float32 or bfloat16, as its `call`."""
    import tensorflow as tf

    plain = layer.call

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return plain(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(layer.gamma, tf.float32),
            offset=tf.convert_to_tensor(layer.beta, tf.float32),
            mean=tf.zeros(0),
            variance=tf.zeros(0),
            epsilon=layer.epsilon,
            is_training=True,
        )
        values = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
        variance *= (values - 1) / values  # of the batch, as Keras keeps it; not of what it is from
        for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
        return outputs

    return call


def activation(layer: layers.PReLU) -> Callable[[Any], Any]:
    """What the layer does with maps (N, height, width, C), one slope a channel, as its `call`."""
    import tensorflow as tf

    # XLA makes one loop of several operations; Keras leaves it off on a Mac with TensorFlow
    loop = partial(tf.function, jit_compile=sys.platform != "darwin")

    @loop
    def sloped(maps: Any, values: Any, slopes: Any) -> Any:
        return tf.where(maps > 0, values, slopes * values)

    @loop
    def negative(maps: Any, values: Any) -> Any:
        return tf.reshape(tf.minimum(maps, 0) * values, (-1, maps.shape[-1]))

    @tf.custom_gradient
    def activate(maps: Any, slopes: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            parts = negative(maps, upstream)
            ones = tf.ones((1, tf.shape(parts)[0]), maps.dtype)  # a product sums in float32
            return sloped(maps, upstream, slopes), (ones @ parts)[None]

        return sloped(maps, maps, slopes), gradients

    return lambda maps: activate(maps, tf.convert_to_tensor(layer.alpha, maps.dtype))


def convolution(padding: str) -> Callable[[Any, Any], Any]:
    """A function of maps (N, height, width, C) and an odd kernel (k, k, C, D), `padding` as in TF.

    Its gradients are those of `tf.nn.conv2d` with stride 1, up to rounding.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def convolve(maps: Any, kernel: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            to_maps = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(maps),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding=padding,
            )
            # pictures and channels change places: it sums over the pictures
            border = [kernel.shape[0] // 2] * 2 if padding == "SAME" else [0, 0]
            padded = tf.pad(tf.transpose(maps, (3, 1, 2, 0)), [[0, 0], border, border, [0, 0]])
            to_kernel = tf.nn.conv2d(padded, tf.transpose(upstream, (1, 2, 0, 3)), 1, "VALID")
            return to_maps, tf.transpose(to_kernel, (1, 2, 0, 3))

        return tf.nn.conv2d(maps, kernel, 1, padding), gradients

    return lambda maps, kernel: convolve(maps, tf.convert_to_tensor(kernel, maps.dtype))


def pointwise() -> Callable[[Any, Any], Any]:
    """A function of maps (N, height, width, C) and a kernel (1, 1, C, D).

    Its gradients are those of `tf.nn.conv2d` with stride 1, up to rounding.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def convolve(maps: Any, kernel: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            pixels, upstream = (tf.reshape(x, (-1, x.shape[-1])) for x in (maps, upstream))
            to_maps = tf.matmul(upstream, kernel[0, 0], transpose_b=True)
            to_kernel = tf.matmul(pixels, upstream, transpose_a=True)
            return tf.reshape(to_maps, tf.shape(maps)), to_kernel[None, None]

        return tf.nn.conv2d(maps, kernel, 1, "VALID"), gradients

    return lambda maps, kernel: convolve(maps, tf.convert_to_tensor(kernel, maps.dtype))


def halving(layer: layers.DepthwiseConv2D) -> Callable[[Any], Any]:
    """What the layer does with maps (N, height, width, C), stride 2 and no border, as its `call`.

    Its gradients are those of `tf.nn.depthwise_conv2d`, up to rounding.
    """
    import tensorflow as tf

    def convolve(maps: Any, kernel: Any, stride: int = 1) -> Any:
        return tf.nn.depthwise_conv2d(maps, kernel, [1, stride, stride, 1], "VALID")

    @tf.custom_gradient
    def halve(maps: Any, kernel: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            (height, width, channels), (rows, columns) = upstream.shape[1:], kernel.shape[:2]
            last_row, last_column = 2 * (height - 1) + rows, 2 * (width - 1) + columns
            to_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=maps[:, :last_row, :last_column],  # slow with a row that is not used
                filter_sizes=kernel.shape,
                out_backprop=upstream,
                strides=[1, 2, 2, 1],
                padding="VALID",
            )
            # zeros between the gradients and around them, then the kernel the other way round
            spread = tf.reshape(upstream, (-1, height, 1, width, 1, channels))
            spread = tf.pad(spread, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
            spread = tf.reshape(spread, (-1, 2 * height, 2 * width, channels))
            below = rows - 2 + maps.shape[1] - last_row
            right = columns - 2 + maps.shape[2] - last_column
            around = [[0, 0], [rows - 1, below], [columns - 1, right], [0, 0]]
            return convolve(tf.pad(spread, around), tf.reverse(kernel, [0, 1])), to_kernel

        return convolve(maps, kernel, 2), gradients

    return lambda maps: halve(maps, tf.convert_to_tensor(layer.kernel, maps.dtype))
