"""How many pictures a second one core augments, by ingredient and with all of them.

    python -m benchmarks.augmentation

Batches of seeded random 48x48 pictures; the rival of the resampling pass is SciPy's
`affine_transform`, picture by picture, through the same maps.  Target for all ingredients together:
15,000 pictures a second.  Rounds are interleaved, so that a busy neighbour slows every row alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks.measuring import describe_machine, ratio, spread, verdict
from facial_expression.network.recipe import Augmentation
from facial_expression.network.resampling import about_centre, resample
from facial_expression.train.augmentation import augment, mirrored, mixup

SIDE, CLASSES = 48, 7
PICTURES = 15_000  # a second: the target
STRONG: dict[str, Any] = {
    "flip": "random",
    "shift": 4.0,
    "scale": 0.2,
    "rotation": 15.0,
    "erasing": 1.0,  # every picture, which costs most
    "brightness": 25.0,
    "contrast": 0.25,
    "mixup": 0.2,
}
OFF: dict[str, Any] = {"flip": "none", **dict.fromkeys([*STRONG][1:], 0.0)}
EVERYTHING = "everything"
OURS, SCIPYS = "one resampling pass", "the same by SciPy"

Step = Callable[[], object]
Seconds = tuple[float, float]  # on the wall clock, of computing


def steps(batch: int) -> dict[str, Step]:
    """What is timed: by name, a call that augments one batch."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, SIDE, SIDE), dtype=np.uint8)
    targets = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, batch)]
    maps = about_centre(
        SIDE,
        rng.random(batch) < 0.5,
        rng.uniform(-15, 15, batch),
        rng.uniform(0.8, 1.2, batch),
        rng.uniform(-4, 4, (batch, 2)),
    )

    def ours(settings: Augmentation) -> Step:
        mirror = mirrored(settings, seed=0, epoch=1, pictures=batch)

        def step() -> object:
            return mixup(augment(images, mirror, rng, settings), targets, rng, settings.mixup)

        return step

    def scipys() -> list[Any]:
        return [
            ndimage.affine_transform(image, matrix, offset, order=1, mode="nearest")
            for image, matrix, offset in zip(images, *maps, strict=True)
        ]

    alone = {name: ours(Augmentation(**{**OFF, name: value})) for name, value in STRONG.items()}
    together = {EVERYTHING: ours(Augmentation(**STRONG))}
    return alone | together | {OURS: lambda: resample(images, *maps), SCIPYS: scipys}


def measure(todo: dict[str, Step], batches: int, repeats: int) -> dict[str, list[Seconds]]:
    """Wall and CPU seconds of a batch, by name, one pair a round; one more round warms up."""
    figures: dict[str, list[Seconds]] = {name: [] for name in todo}
    for number in range(1 + repeats):
        for name, step in todo.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(batches):
                step()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number:
                figures[name].append((wall / batches, cpu / batches))
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.augmentation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--batch", type=int, default=128, help="pictures a batch")
    parser.add_argument("--batches", type=int, default=5, help="timed together, a round")
    parser.add_argument("--repeats", type=int, default=25, help="timed rounds")
    args = parser.parse_args(argv)
    print(describe_machine(["numpy", "scipy"]))
    print(f"thousands of {SIDE}x{SIDE} pictures a second, {args.batch} a batch", flush=True)
    wall: dict[str, list[float]] = {}
    for name, rounds in measure(steps(args.batch), args.batches, args.repeats).items():
        wall[name] = [seconds for seconds, _ in rounds]
        rates = [args.batch / seconds / 1000 for seconds in wall[name]]
        computing = args.batch / median(cpu for _, cpu in rounds) / 1000
        print(f"  {name:<20} {spread(rates, 'k')}; by CPU time {computing:.1f} k")
    print(f"resampling: {ratio(wall[SCIPYS], wall[OURS]):.1f} times as fast as SciPy")
    kept = verdict(wall[EVERYTHING], args.batch / PICTURES)
    print(f"target: {PICTURES:,} pictures a second with everything: {kept}")


if __name__ == "__main__":
    main()
