"""Quicker weight gradients for convolutions of small maps, on TensorFlow in bfloat16.

oneDNN computes these gradients slowly where a map has few pixels: of the seed notebook's step it
takes most.  As one product of matrices (im2col, Chellapilla et al. 2006, "High Performance
Convolutional Neural Networks for Document Processing") they take a half to a tenth of the time; on
larger maps, and in float32, oneDNN is quicker.
"""

from typing import Any

import keras
from keras import layers

LARGEST = 8  # pixels of a map's side


def speed_up(model: keras.Model) -> None:
    """Give the convolutions of small maps in a network the quicker gradients.

    Outputs stay the same bits, gradients differ by rounding; what is saved is a plain `Conv2D`.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if (
            type(layer) is layers.Conv2D
            and (layer.compute_dtype, layer.trainable) == ("bfloat16", True)
            and (layer.strides, layer.dilation_rate, layer.groups) == ((1, 1), (1, 1), 1)
            and layer.output.shape[1] <= LARGEST
        ):
            layer.convolution_op = convolution(layer.padding.upper())


def convolution(padding: str) -> Any:
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
            size, (_, height, width, _) = kernel.shape[0], upstream.shape
            border = [size // 2] * 2 if padding == "SAME" else [0, 0]
            padded = tf.pad(maps, [[0, 0], border, border, [0, 0]])
            moved = [
                padded[:, down : down + height, right : right + width]
                for down in range(size)
                for right in range(size)
            ]
            columns = tf.reshape(tf.concat(moved, 3), (-1, size * size * maps.shape[3]))
            rows = tf.reshape(upstream, (-1, upstream.shape[3]))
            return to_maps, tf.reshape(tf.matmul(columns, rows, transpose_a=True), kernel.shape)

        return tf.nn.conv2d(maps, kernel, 1, padding), gradients

    return lambda maps, kernel: convolve(maps, tf.convert_to_tensor(kernel, maps.dtype))
