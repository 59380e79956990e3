"""Pictures a second of one network in this process: what `benchmarks.throughput` starts.

    python -m benchmarks.network_speed seed tensorflow float32

Prints one JSON object: `training` and `inference` in pictures a second, `parameters` and `macs`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facial_expression.core.errors import run
from facial_expression.network.backend import configure

WARM_UP = 2  # calls before the clock starts: the first one builds the graph
FEWEST = 3  # timed calls
PEAK_RATE, MOMENTUM = 0.01, 0.9


@dataclass(frozen=True)
class Speed:
    """What one process measured.

    Attributes:
        training: pictures a second of `train_on_batch`, the rate of the median step.
        inference: the same of `predict_on_batch`.
        parameters: of the network, moving averages included.
        macs: multiply-accumulates of one picture's forward pass.
    """

    training: float
    inference: float
    parameters: int
    macs: int


def pace(step: Callable[[], Any], pictures: int, seconds: float) -> float:
    """Pictures a second of a step that takes in `pictures`, repeated for about `seconds`.

    The median step counts, so that a neighbour's burst on a shared machine does not.
    """
    for _ in range(WARM_UP):
        step()
    times: list[float] = []
    while len(times) < FEWEST or sum(times) < seconds:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return pictures / float(np.median(times))


def measure(name: str, precision: str, side: int, batch: int, seconds: float) -> Speed:
    """Train and apply an untrained network on random uint8 pictures (batch, side, side, 1)."""
    import keras  # noqa: PLC0415  its backend is chosen first

    from facial_expression.network.macs import macs  # noqa: PLC0415
    from facial_expression.train import models  # noqa: PLC0415

    classes = 7
    model = models.build(name, side, classes, precision=precision)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 1), dtype=np.uint8)
    targets = np.eye(classes, dtype=np.float32)[rng.integers(0, classes, batch)]
    trained = models.logits_of(model)
    trained.compile(
        keras.optimizers.SGD(PEAK_RATE, MOMENTUM),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    return Speed(
        training=pace(lambda: trained.train_on_batch(images, targets), batch, seconds),
        inference=pace(lambda: model.predict_on_batch(images), batch, seconds),
        parameters=model.count_params(),
        macs=macs(model),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one network and print what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.network_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a key of models.BUILDERS")
    parser.add_argument("backend", choices=("tensorflow", "jax", "torch"))
    parser.add_argument("precision", help="Keras' name of a dtype policy")
    parser.add_argument("--side", type=int, default=48, help="pixels of the square pictures")
    parser.add_argument("--batch", type=int, default=128, help="pictures a step")
    parser.add_argument("--threads", type=int, default=2, help="of one operation")
    parser.add_argument("--seconds", type=float, default=5, help="of each of the two, at least")
    args = parser.parse_args(argv)
    configure(args.backend, args.threads)
    speed = measure(args.model, args.precision, args.side, args.batch, args.seconds)
    print(json.dumps(asdict(speed)))


if __name__ == "__main__":
    run(main)
