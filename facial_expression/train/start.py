"""How the weights start: whitening, identity, or the weights of another network.

The names of layers select them: a model file with an initialiser of ours would not load in plain
Keras.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Rows
from facial_expression.core.errors import ModelError
from facial_expression.network.devices import ALONE, Devices

PATCHES = 40_000  # enough for a covariance of 25 pixels
FLOOR = 5e-4  # added to each variance, so that weak components are not amplified (airbench)

Floats = NDArray[np.float32]


def initialise(model: keras.Model, images: Rows, devices: Devices = ALONE) -> None:
    """Fill the layers named `whitening...`, for these pictures, and `identity...`; no others."""
    for layer in model.layers:
        if layer.name.startswith("whitening"):
            size, _, _, filters = layer.kernel.shape
            weights = layer.get_weights()
            if devices.process == 0:  # another processor's would differ in the last bits
                weights = list(whitening(images, size, filters // 2))
            layer.set_weights(devices.shared(weights))
        elif layer.name.startswith("identity"):
            kernel, *rest = layer.get_weights()
            layer.set_weights([identity(kernel), *rest])


def whitening(images: Rows, size: int, components: int) -> tuple[Floats, Floats]:
    """A convolution whose outputs are uncorrelated and of about equal variance.

    The leading `components` of the patches of `size` pixels a side at fixed random places, each
    divided by its standard deviation, and their negatives, because a rectifier follows: Page 2018
    ("How to train your ResNet"), Jordan 2024 (airbench, arXiv:2404.00498).  The images are uint8
    (N, side, side), side at least `size`.  Gives kernel float32 (size, size, 1, 2 * components) and
    bias (2 * components,) for pictures in [0, 1]; the bias subtracts the mean patch.
    """
    rng = np.random.default_rng(0)
    which = rng.integers(0, len(images), PATCHES)
    rows, columns = rng.integers(0, images.shape[1] - size + 1, (2, PATCHES, 1, 1))
    steps = np.arange(size)
    chosen, which = np.unique(which, return_inverse=True)
    patches = images[chosen][which[:, None, None], rows + steps[:, None], columns + steps]
    patches = patches.reshape(PATCHES, -1) / 255
    mean = patches.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(components)])
    filters = (vectors * signs / np.sqrt(values + FLOOR)).T  # (components, size * size)
    filters = np.concatenate([filters, -filters])
    kernel = filters.reshape(-1, size, size).transpose(1, 2, 0)[:, :, None, :]
    return kernel.astype(np.float32), (-filters @ mean).astype(np.float32)


def identity(kernel: Floats) -> Floats:
    """A kernel (odd size, odd size, channels in, filters) whose first filters copy their channel.

    Dirac initialisation (Zagoruyko and Komodakis 2017, "DiracNets"); other filters stay unchanged.
    """
    size, _, channels, filters = kernel.shape
    copies = np.arange(min(channels, filters))
    kernel = kernel.copy()
    kernel[..., copies] = 0
    kernel[size // 2, size // 2, copies, copies] = 1
    return kernel


def adopt(model: keras.Model, source: keras.Model, where: str, same_classes: bool) -> None:
    """Start `model` from the weights of `source`; of its last layer too if the classes agree.

    A ModelError, in which `where` names the source, if they are different networks.
    """

    def shapes(network: keras.Model) -> list[list[tuple[int, ...]]]:
        copied = [layer for layer in network.layers if same_classes or layer.name != "logits"]
        return [[tuple(variable.shape) for variable in layer.weights] for layer in copied]

    if shapes(model) != shapes(source):
        raise ModelError(
            f"{where}: expected weights of the network '{model.name}' from {model.input_shape} to "
            f"{model.output_shape}, found '{source.name}' from {source.input_shape} to "
            f"{source.output_shape} with other layers; name that one in train.model, or choose "
            "other weights"
        )
    for mine, theirs in zip(model.layers, source.layers, strict=True):
        if mine.name != "logits" or same_classes:
            mine.set_weights(theirs.get_weights())
