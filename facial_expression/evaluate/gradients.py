"""The gradient of a number with respect to an array, by whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Function = Callable[[Any], Any]
"""From a tensor of the backend to a tensor without axes, by Keras operations."""


def gradient(function: Function, at: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gradient of `function` at an array of any shape; float32 of that shape."""
    return GRADIENTS[keras.backend.backend()](function, at).astype(np.float32)


def _tensorflow(function: Function, at: NDArray[np.float32]) -> NDArray[Any]:
    import tensorflow as tf

    point = tf.convert_to_tensor(at)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        value = function(point)
    return np.asarray(tape.gradient(value, point))


def _jax(function: Function, at: NDArray[np.float32]) -> NDArray[Any]:
    import jax  # type: ignore[import-not-found]

    return np.asarray(jax.grad(function)(at))


def _torch(function: Function, at: NDArray[np.float32]) -> NDArray[Any]:
    import torch  # type: ignore[import-not-found]

    point = torch.tensor(at, requires_grad=True)
    (found,) = torch.autograd.grad(function(point), point)
    return found.numpy()


GRADIENTS: dict[str, Callable[[Function, NDArray[np.float32]], NDArray[Any]]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
