"""Networks, one builder each: uint8 pictures (N, side, side, 1) -> class probabilities.

The first layer of every network rescales pictures to [0, 1], so that training and serving share
one definition of the input; the last two are `logits` and their softmax, `probabilities`.

`fast`, `compact`, `slim`, `lean` (the released one), `best` and `fine` are a family in the shape of
airbench (Jordan 2024, arXiv:2404.00498; github.com/KellerJordan/cifar10-airbench): a frozen
convolution with stride 2 whitens 5x5 patches, so that most of the work is done at 12x12 and 6x6
pixels; three stages pool right after their first convolution; convolutions start as identities, so
that depth does not slow the start.  The third convolution with a shortcut is airbench96's.  `fine`
has a stem with stride 1 and four stages.

Sizes are those with 7 classes at side 48; multiplications are multiply-accumulates a picture.
"""

import keras
from keras import KerasTensor, layers

from facial_expression.core.errors import ModelError, reason


def seed(x: KerasTensor) -> KerasTensor:
    """The seed notebook's, after LeCun et al. 1998: 4,232,199 parameters, 218 M multiplications."""
    for filters in (128, 256, 512, 512):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.4)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(256, activation="relu")(x)
    return layers.Dropout(0.3)(x)


def small(x: KerasTensor) -> KerasTensor:
    """VGG's plain stack (arXiv:1409.1556), normalised: 85,367 parameters, 7.6 M multiplications."""
    for filters in (16, 32, 64, 96):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return layers.Dropout(0.3)(x)


def fast(x: KerasTensor) -> KerasTensor:
    """The quickest way to the seed's accuracy: 295,927 parameters, 13.6 M multiplications."""
    return _network(x, 24, (32, 64, 128), residual=False)


def compact(x: KerasTensor) -> KerasTensor:
    """`fast` with a third convolution and shortcut: 490,359 parameters, 17.6 M multiplications."""
    return _network(x, 24, (32, 64, 128), residual=True)


def slim(x: KerasTensor) -> KerasTensor:
    """`compact` with a wider last stage: 578,215 parameters, 18.6 M multiplications."""
    return _network(x, 24, (32, 64, 144), residual=True)


def best(x: KerasTensor) -> KerasTensor:
    """`compact` at twice the width: 1,943,367 parameters, 64 M multiplications."""
    return layers.Dropout(0.3)(_network(x, 32, (64, 128, 256), residual=True))


def lean(x: KerasTensor) -> KerasTensor:
    """`best` narrowed by `tools.narrow`: 1,570,263 parameters, 48.3 M multiplications."""
    return layers.Dropout(0.3)(_network(x, 24, (48, 128, 224), residual=True))


def fine(x: KerasTensor) -> KerasTensor:
    """`best` with a stem that skips no pixel: 1,971,399 parameters, 97.4 M multiplications."""
    return layers.Dropout(0.3)(_network(x, 32, (32, 64, 128, 256), residual=True, stride=1))


SEPARABLE = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
"""Filters and stride of the blocks of `mobilenet`."""


def mobilenet(x: KerasTensor) -> KerasTensor:
    """For weights of SFace (`tools.sface`): 3,250,503 parameters, 103.0 M multiplications.

    MobileNetV1 (Howard et al. 2017, arXiv:1704.04861) without a stride in its first layer, with
    PReLU and a last normalisation; the names of the layers are those of SFace's file.
    """
    x = layers.Rescaling(255 / 128, -127.5 / 128, name="centred")(x)
    x = _normalised(layers.Conv2D(32, 3, padding="same", use_bias=False, name="conv_1")(x))
    for number, (filters, stride) in enumerate(SEPARABLE, 2):
        if stride == 2:  # as many rows above as below
            x = layers.ZeroPadding2D()(x)
        padding, name = ("same", "valid")[stride - 1], f"conv_{number}"
        depthwise = layers.DepthwiseConv2D(3, stride, padding, use_bias=False, name=f"{name}_dw")
        x = _normalised(depthwise(x))
        x = _normalised(layers.Conv2D(filters, 1, use_bias=False, name=name)(x))
    x = layers.BatchNormalization(momentum=0.9, epsilon=2e-5, name="bn1")(x)
    return layers.Dropout(0.4)(layers.GlobalAveragePooling2D(name="pooled")(x))


def _normalised(x: KerasTensor) -> KerasTensor:
    name = x._keras_history.operation.name
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_batchnorm")(x)
    return layers.PReLU(shared_axes=[1, 2], name=f"{name}_relu")(x)


def _network(
    x: KerasTensor, stem: int, widths: tuple[int, ...], residual: bool, stride: int = 2
) -> KerasTensor:
    """The family; `train.start.initialise` reads the names of the layers."""
    x = layers.Conv2D(stem, 5, stride, padding="same", trainable=False, name="whitening")(x)
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


def _convolution(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    return layers.Conv2D(
        filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _activated(x: KerasTensor) -> KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


NETWORKS = (seed, small, fast, compact, slim, lean, best, fine, mobilenet)
BUILDERS = {network.__name__: network for network in NETWORKS}
"""The networks that `train.model` may name: (N, side, side, 1) in [0, 1] -> (N, features)."""


def build(name: str, side: int, classes: int, precision: str = "float32") -> keras.Model:
    """An untrained network: uint8 (N, side, side, 1) to float32 (N, classes), rows sum to 1.

    `name` is a key of `BUILDERS`; `precision` is Keras' dtype policy, but the head is float32.  A
    ModelError if the name is unknown, or the pictures are too small for the network.
    """
    if name not in BUILDERS:
        raise ModelError(f"train.model: expected one of {', '.join(BUILDERS)}, found '{name}'")
    devices = keras.distribution.distribution()
    keras.utils.clear_session()  # automatic names restart, so that equal models are equal bytes
    keras.distribution.set_distribution(devices)  # it was cleared too
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        pictures = keras.Input((side, side, 1), dtype="uint8", name="pictures")
        features = BUILDERS[name](layers.Rescaling(1 / 255, name="rescaling")(pictures))
    except ValueError as error:
        raise ModelError(
            f"train.model: '{name}' does not fit pictures of side {side}: {reason(error)}; "
            "raise preprocess.side"
        ) from None
    finally:
        keras.config.set_dtype_policy(before)
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    probabilities = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(pictures, probabilities, name=name)
