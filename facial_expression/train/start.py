"""How the weights start: whitening, identity, or the weights of another network.

Keras' own initialisers fill every layer when a network is built; layers whose name begins with
`whitening` or `identity` are then filled again here.  Names select them instead of initialiser
classes, because a class of ours in the model file would keep plain Keras from loading it.
"""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import ModelError

PATCHES = 40_000  # enough for a covariance of 25 pixels
FLOOR = 5e-4  # added to each variance, so that weak components are not amplified (airbench)

Floats = NDArray[np.float32]


def initialise(model: keras.Model, images: NDArray[np.uint8]) -> None:
    """Fill the layers whose names start with `whitening` or `identity`; others stay as built.

    Args:
        model: an untrained network.
        images: uint8 (N, side, side), the training pictures, which determine the whitening.
    """
    for layer in model.layers:
        if layer.name.startswith("whitening"):
            size, _, _, filters = layer.kernel.shape
            layer.set_weights(list(whitening(images, size, filters // 2)))
        elif layer.name.startswith("identity"):
            kernel, *rest = layer.get_weights()
            layer.set_weights([identity(kernel), *rest])


def whitening(images: NDArray[np.uint8], size: int, components: int) -> tuple[Floats, Floats]:
    """A convolution whose outputs are uncorrelated and of about equal variance.

    The leading principal components of the pictures' patches, each divided by its standard
    deviation, and their negatives, because a rectifier follows: Page 2018 ("How to train your
    ResNet"), Jordan 2024 (airbench, arXiv:2404.00498).

    Args:
        images: uint8 (N, side, side), side at least `size`.
        size: side of the patches in pixels.
        components: at most size * size.

    Returns:
        Kernel float32 (size, size, 1, 2 * components) and bias (2 * components,) for pictures in
        [0, 1]; the bias subtracts the mean patch.
    """
    patches = _patches(images, size)
    mean = patches.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(components)])
    filters = (vectors * signs / np.sqrt(values + FLOOR)).T  # (components, size * size)
    filters = np.concatenate([filters, -filters])
    kernel = filters.reshape(-1, size, size).transpose(1, 2, 0)[:, :, None, :]
    return kernel.astype(np.float32), (-filters @ mean).astype(np.float32)


def _patches(images: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    """Patches at fixed random places, float64 (PATCHES, size * size), in [0, 1]."""
    rng = np.random.default_rng(0)
    which = rng.integers(0, len(images), PATCHES)
    rows, columns = rng.integers(0, images.shape[1] - size + 1, (2, PATCHES, 1, 1))
    steps = np.arange(size)
    patches = images[which[:, None, None], rows + steps[:, None], columns + steps]
    return patches.reshape(PATCHES, -1) / 255


def identity(kernel: Floats) -> Floats:
    """A kernel whose first filters copy their input channel; the other filters stay unchanged.

    Dirac initialisation (Zagoruyko and Komodakis 2017, "DiracNets"; airbench).

    Args:
        kernel: float32 (odd size, odd size, channels in, filters).
    """
    size, _, channels, filters = kernel.shape
    copies = np.arange(min(channels, filters))
    kernel = kernel.copy()
    kernel[..., copies] = 0
    kernel[size // 2, size // 2, copies, copies] = 1
    return kernel


def adopt(model: keras.Model, source: keras.Model, where: str) -> bool:
    """Start `model` from the weights of `source`; the head too if the number of classes agrees.

    Args:
        model: the network to fill.
        source: a trained network of the same builder.
        where: names the source in errors.

    Returns:
        Whether the head was copied too.

    Raises:
        ModelError: the two are different networks.
    """
    pairs = list(zip(model.layers, source.layers, strict=False))
    heads = [(mine, theirs) for mine, theirs in pairs if mine.name == "logits"]
    same_length = len(model.layers) == len(source.layers)
    bodies = [pair for pair in pairs if pair not in heads]
    if not same_length or any(shapes(mine) != shapes(theirs) for mine, theirs in bodies):
        raise ModelError(
            f"{where}: expected weights of the network '{model.name}', found '{source.name}' with "
            "other layers; name that one in train.model, or choose other weights"
        )
    fitting = [pair for pair in heads if shapes(pair[0]) == shapes(pair[1])]
    for mine, theirs in bodies + fitting:
        mine.set_weights(theirs.get_weights())
    return len(fitting) == len(heads)


def shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    """The shape of each weight of a layer."""
    return [tuple(variable.shape) for variable in layer.weights]
