"""The seed notebook's network, and a small one for the drawn sample."""

from __future__ import annotations

import keras
from keras import layers


def seed(x: keras.KerasTensor) -> keras.KerasTensor:
    """The seed notebook's network: four convolutions without padding, two dense layers.

    A plain convolutional network (LeCun et al. 1998, "Gradient-Based Learning Applied to Document
    Recognition") with rectifiers and dropout (Srivastava et al. 2014).
    4,232,199 parameters with 7 classes at side 48; 218 M multiply-accumulates a picture.
    """
    for filters in (128, 256, 512, 512):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.4)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(256, activation="relu")(x)
    return layers.Dropout(0.3)(x)


def small(x: keras.KerasTensor) -> keras.KerasTensor:
    """A small network for the sample: four convolutions with batch normalisation.

    VGG's plain stack (Simonyan and Zisserman 2015, arXiv:1409.1556) with the normalisation of Ioffe
    and Szegedy 2015 (arXiv:1502.03167).
    85,367 parameters with 7 classes at side 48; 7.6 M multiply-accumulates a picture; learns a
    thousand drawn faces in seconds.
    """
    for filters in (16, 32, 64, 96):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return layers.Dropout(0.3)(x)
