"""ResNet-18 for small pictures, as published for FER2013: a rival."""

from __future__ import annotations

import keras
from keras import layers


def resnet18(x: keras.KerasTensor) -> keras.KerasTensor:
    """The ResNet-18 of 73.70 % on FER2013 (ten crops, 300 epochs), as its code has it.

    He et al. 2016, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385), in the shape
    of its section 4.2 for small pictures: a 3x3 stem and no max-pooling, with a 1x1 projection
    where the shape changes (github.com/LetheSec/Fer2013-Facial-Emotion-Recognition-Pytorch,
    models/resnet.py).  That code averages 4x4 cells, of the 5x5 that its 40-pixel crops leave;
    here all cells are averaged, as in the paper, whatever the side.

    11,180,871 parameters with 7 classes at side 48; 1,247 M multiply-accumulates a picture.
    """
    x = layers.ReLU()(_convolution(x, 64, 3, 1))
    for filters in (64, 128, 256, 512):
        x = _block(x, filters, stride=1 if filters == 64 else 2)
        x = _block(x, filters, stride=1)
    return layers.GlobalAveragePooling2D()(x)


def _block(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    """Two 3x3 convolutions beside a shortcut."""
    y = layers.ReLU()(_convolution(x, filters, 3, stride))
    y = _convolution(y, filters, 3, 1)
    if stride != 1 or x.shape[-1] != filters:
        x = _convolution(x, filters, 1, stride)
    return layers.ReLU()(layers.Add()([x, y]))


def _convolution(x: keras.KerasTensor, filters: int, size: int, stride: int) -> keras.KerasTensor:
    """Convolution and batch normalisation.

    PyTorch pads both sides by one; Keras' "same" would pad an even picture with stride 2 at its end
    only.
    """
    if size == 3 and stride == 2:
        x = layers.ZeroPadding2D(1)(x)
        padding = "valid"
    else:
        padding = "same"
    x = layers.Conv2D(
        filters, size, stride, padding, use_bias=False, kernel_initializer="he_normal"
    )(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
