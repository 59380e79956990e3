"""Whether one network file gives the same predictions and saliency maps on two Keras backends.

    python -m benchmarks.backends released/expression.keras data/arrays --split val

Every backend runs in a process of its own, since it is chosen before Keras is imported.  Prints the
largest difference of a probability, and of a Grad-CAM map, on the first pictures of a split, and
whether it keeps to the tolerance; exits with 1 if it does not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import ROOT, describe_machine
from facial_expression.core.arrays import read_split
from facial_expression.core.errors import run
from facial_expression.network.backend import configure, versions

TOLERANCE = 1e-4
MAPS = 64  # of the pictures get a saliency map
BACKENDS = ("tensorflow", "jax", "torch")

Outputs = dict[str, NDArray[np.float32]]
"""`probabilities` (N, classes), and `maps` (up to MAPS, side, side) for each label."""


def outputs(
    model: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], batch_size: int
) -> Outputs:
    """What the network gives on the backend that this process runs."""
    from facial_expression.evaluate.saliency import grad_cam  # noqa: PLC0415
    from facial_expression.network import keras_file  # noqa: PLC0415  the backend is chosen first
    from facial_expression.network.predict import predicted  # noqa: PLC0415

    network = keras_file.load(model)
    return {
        "probabilities": predicted(network, images, batch_size),
        "maps": grad_cam(network, images[:MAPS], labels[:MAPS]),
    }


def differences(one: Outputs, other: Outputs) -> dict[str, float]:
    """The largest absolute difference of each kind; NaN where one of them is not finite.

    >>> zeros, ones = np.zeros(2, np.float32), np.ones(2, np.float32)
    >>> differences({"maps": zeros}, {"maps": ones})
    {'maps': 1.0}
    """
    return {kind: float(np.abs(one[kind] - other[kind]).max()) for kind in one}


def in_a_process(backend: str, options: Sequence[str], out: Path) -> Outputs:
    """Start this benchmark's worker on a backend and read what it wrote.

    Raises:
        SystemExit: the process failed; its message is shown.
    """
    command = [sys.executable, "-m", "benchmarks.backends", *options, f"--worker={backend}:{out}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip()[-2000:] or f"error: {' '.join(command)} failed")
    with np.load(out) as arrays:
        return dict(arrays)


def main(argv: Sequence[str] | None = None) -> None:
    """Compare two backends and print the largest differences."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backends",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="a .keras file")
    parser.add_argument("arrays", type=Path, help="folder of stage preprocess")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--pictures", type=int, default=512, help="the first ones of the split")
    parser.add_argument("--batch", type=int, default=256, help="pictures a forward pass")
    parser.add_argument("--threads", type=int, default=2, help="of one operation")
    parser.add_argument("--backends", nargs=2, choices=BACKENDS, default=BACKENDS[:2])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        backend, _, out = args.worker.partition(":")
        configure(backend, args.threads)
        split = read_split(args.arrays, args.split)
        np.savez(
            out,
            allow_pickle=False,
            **outputs(args.model, split.images[: args.pictures], split.labels, args.batch),
        )
        return
    options = [
        str(args.model.resolve()),
        str(args.arrays.resolve()),
        *(f"--{name}={getattr(args, name)}" for name in ("split", "pictures", "batch", "threads")),
    ]
    with tempfile.TemporaryDirectory() as folder:
        one, other = (
            in_a_process(backend, options, Path(folder) / f"{backend}.npz")
            for backend in args.backends
        )
    print(describe_machine(sorted({name for b in args.backends for name in versions(b)})))
    print(f"{args.model}: {len(one['probabilities'])} pictures of {args.split}")
    found = differences(one, other)
    for kind, value in found.items():
        print(f"{kind}: largest difference {value:.1e} between {' and '.join(args.backends)}")
    kept = found["probabilities"] <= TOLERANCE
    print(f"tolerance {TOLERANCE:g}: {'met' if kept else 'MISSED'}")
    sys.exit(not kept)


if __name__ == "__main__":
    run(main)
