"""Keras' optimizers with separate rates for biases and weight decay of kernels alone, and Muon."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from facial_expression.network.recipe import Optimizer

OFFSETS = ("bias", "beta")  # how Keras names them
DECAYING = ("adamw", "muon")  # by default; the others leave the operations out
ITERATIONS = 3  # of Newton and Schulz; airbench's number
UNDECAYED = (*OFFSETS, "gamma")


def create(settings: Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that `settings` describe; its `learning_rate` is set anew at each step."""
    kinds: dict[str, tuple[type[keras.optimizers.Optimizer], dict[str, Any]]] = {
        "adam": (keras.optimizers.Adam, {}),
        "adamw": (keras.optimizers.AdamW, {}),
        "sgd": (keras.optimizers.SGD, {"momentum": settings.momentum, "nesterov": True}),
        "muon": (
            Muon,
            {
                "adam_lr_ratio": settings.adam_rate,
                "momentum": settings.momentum,
                "ns_steps": ITERATIONS,
                "adam_weight_decay": settings.weight_decay,
            },
        ),
    }
    kind, options = kinds[settings.name]
    decay = settings.weight_decay or (0.0 if settings.name in DECAYING else None)
    optimizer = _with_bias_rate(kind, settings.bias_rate)(
        learning_rate=settings.learning_rate, weight_decay=decay, **options
    )
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


def _with_bias_rate(
    kind: type[keras.optimizers.Optimizer], factor: float
) -> type[keras.optimizers.Optimizer]:
    if factor == 1:
        return kind

    class WithBiasRate(kind):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            name = variable.name.split("/")[-1].split(":")[0]  # TensorFlow's own says "bias:0"
            rate = learning_rate * factor if name in OFFSETS else learning_rate
            super().update_step(gradient, variable, rate)

    return WithBiasRate


class Muon(keras.optimizers.Muon):
    """Muon for the kernels of convolutions; Keras' own leaves them to Adam.

    The momentum of a kernel, as a matrix (height * width * channels, filters), is made nearly
    orthogonal by Newton-Schulz iterations, so that every direction is learnt at the same pace:
    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
    (github.com/KellerJordan/Muon, and airbench94_muon for convolutions), with the scale of Liu et
    al. 2025 (arXiv:2502.16982).  Everything else, and a kernel that reads one
    channel, is Adam's.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 or variable.shape[2] == 1

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign_add(m, gradient + m * (self.momentum - 1))
        ahead = gradient + self.momentum * m
        shape = variable.shape
        rows, columns = math.prod(shape[:-1]), shape[-1]
        update = self.zeropower_via_newtonschulz5(
            ops.reshape(ahead, (rows, columns)), self.ns_steps
        )
        scale = self.rms_rate * math.sqrt(max(rows, columns))
        self.assign_sub(variable, lr * scale * ops.reshape(update, shape))
