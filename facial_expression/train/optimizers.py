"""Keras' Adam and AdamW with weight decay of kernels alone, and Muon for convolutions."""

import math
from typing import Any

import keras
from keras import ops

from facial_expression.network.recipe import Optimizer

MOMENTUM = 0.9  # of Muon, in Nesterov's form
ITERATIONS = 3  # of Newton and Schulz, as in airbench
UNDECAYED = ("alpha", "beta", "bias", "gamma")  # Keras' names: slopes, normalisation, biases


def create(settings: Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that `settings` describe; the training loop sets its rate at each step."""
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.name == "muon":
        decays = {"weight_decay": decay, "adam_weight_decay": decay}
        ours = {"momentum": MOMENTUM, "ns_steps": ITERATIONS}
        optimizer = Muon(rate, adam_lr_ratio=settings.adam_rate, **decays, **ours)
    elif settings.name == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay or None)
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


def slow_down(optimizer: keras.optimizers.Optimizer, model: keras.Model, factor: float) -> None:
    """Train early layers at lower rates, as in Howard and Ruder 2018 (ULMFiT, arXiv:1801.06146).

    The rate of each kernel is that of the next one times `factor`; other weights have the rate of
    the kernel before them.  Weight decay keeps the optimizer's rate.
    """
    rates: dict[int, float] = {}
    rate = 1.0
    for layer in reversed(model.layers):
        for variable in layer.trainable_variables:
            # TensorFlow passes its own variable, JAX Keras'
            rates |= {id(variable): rate, id(variable.value): rate}
        if hasattr(layer, "kernel"):
            rate *= factor
    plain = optimizer.update_step

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        plain(gradient, variable, learning_rate * rates[id(variable)])

    optimizer.update_step = update_step


class Muon(keras.optimizers.Muon):
    """Muon for the kernels of convolutions; Keras' own leaves them to Adam.

    The momentum of a kernel, as a matrix (height * width * channels, filters), is made nearly
    orthogonal by Newton-Schulz iterations, so that all directions are learned at the same rate:
    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
    (github.com/KellerJordan/Muon, and airbench94_muon for convolutions), with the scale of Liu et
    al. 2025 (arXiv:2502.16982).  All other weights, and kernels with one input channel or one
    filter (a depthwise kernel has one for each channel), are trained by Adam.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 or 1 in variable.shape[2:]

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign_add(m, gradient + m * (self.momentum - 1))
        ahead = gradient + self.momentum * m
        shape = variable.shape
        rows, columns = math.prod(shape[:-1]), shape[-1]
        matrix = ops.reshape(ahead, (rows, columns))
        update = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        scale = self.rms_rate * math.sqrt(max(rows, columns))
        self.assign_sub(variable, lr * scale * ops.reshape(update, shape))
