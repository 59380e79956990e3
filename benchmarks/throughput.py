"""Training and inference pictures a second of each network, backend and precision.

    python -m benchmarks.throughput --models seed fast --precisions float32 mixed_bfloat16

Every combination runs in a process of its own, since the backend is chosen before Keras is
imported.  Each round goes through all combinations, so that other work on the machine slows all of
them alike.  The pictures are random; nothing is read from disk or augmented.  Training takes the
operations of the stage `train`, inference those of Keras.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np

from benchmarks.measuring import apart, describe_machine, pace, ranging
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import run
from facial_expression.core.tables import markdown
from facial_expression.network.backend import Backend, configure, versions

HEADER = (
    *("network", "backend", "precision", "parameters", "MACs"),
    *("training (pictures/s)", "inference (pictures/s)"),
)
CLASSES = 7


class Combination(NamedTuple):
    """What one process measures."""

    model: str
    backend: Backend
    precision: str


class Speed(NamedTuple):
    """What one process measured: pictures a second, and the size of the network."""

    training: float
    inference: float
    parameters: int
    macs: int


def measure(combination: Combination, side: int, batch: int, threads: int, seconds: float) -> Speed:
    """Train and apply an untrained network on random pictures, in this process.

    Pictures are squares of `side` pixels, `batch` a step; training and inference take `seconds`
    each, or more.
    """
    configure(combination.backend, threads)
    import keras  # noqa: PLC0415  its backend is chosen first

    from facial_expression.network.macs import macs  # noqa: PLC0415
    from facial_expression.network.predict import logits_of  # noqa: PLC0415
    from facial_expression.train import models  # noqa: PLC0415
    from facial_expression.train.quicker import speed_up  # noqa: PLC0415

    model = models.build(combination.model, side, CLASSES, combination.precision)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 1), dtype=np.uint8)
    targets = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, batch)]
    inference = pace(lambda: model.predict_on_batch(images), batch, seconds)
    speed_up(model)
    trained = logits_of(model)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.SGD(0.01, 0.9), loss)
    return Speed(
        training=pace(lambda: trained.train_on_batch(images, targets), batch, seconds),
        inference=inference,
        parameters=model.count_params(),
        macs=macs(model),
    )


def known_models() -> list[str]:
    """The names in `models.BUILDERS`."""
    from facial_expression.train.models import BUILDERS  # noqa: PLC0415

    return list(BUILDERS)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every combination and print one table."""
    arguments = parser("benchmarks.throughput", __doc__)
    arguments.add_argument("--models", nargs="+", help="keys of models.BUILDERS; all by default")
    arguments.add_argument(
        "--backends", nargs="+", choices=get_args(Backend), default=["tensorflow"]
    )
    precisions = ["float32", "mixed_bfloat16"]
    arguments.add_argument("--precisions", nargs="+", choices=precisions, default=precisions)
    arguments.add_argument("--repeats", type=at_least(1), default=3, help="processes of each")
    arguments.add_argument("--side", type=at_least(8, 512), default=48, help="of pictures, pixels")
    arguments.add_argument("--batch", type=at_least(1), default=128, help="pictures a step")
    arguments.add_argument("--threads", type=at_least(1), default=2, help="of one operation")
    arguments.add_argument("--seconds", type=float, default=5, help="of each of the two, a process")
    args = arguments.parse_args(argv)
    options = (args.side, args.batch, args.threads, args.seconds)
    models = args.models or apart(known_models)  # Keras starts no backend in this process
    todo = [
        Combination(*names) for names in itertools.product(models, args.backends, args.precisions)
    ]
    runs: dict[Combination, list[Speed]] = {combination: [] for combination in todo}
    for _, combination in itertools.product(range(args.repeats), todo):
        runs[combination].append(apart(measure, combination, *options))
    print(describe_machine(sorted({name for b in args.backends for name in versions(b)})))
    print(
        f"batches of {args.batch} at side {args.side}, {args.threads} threads; "
        f"median and range of {args.repeats} processes\n"
    )
    rows: list[Sequence[str]] = [HEADER]
    for combination, speeds in runs.items():
        size = [f"{speeds[0].parameters:,}", f"{speeds[0].macs / 1e6:.1f} M"]
        paces = [(one.training for one in speeds), (one.inference for one in speeds)]
        rows.append([*combination, *size, *(ranging(values, 0) for values in paces)])
    print(markdown(rows))


if __name__ == "__main__":
    run(main)
