"""Training and inference pictures a second of each network, backend and precision.

    python -m benchmarks.throughput --models seed fast --precisions float32 mixed_bfloat16

Every combination runs in a process of its own, since the backend is chosen before Keras is
imported, and the rounds go through all combinations one after another, so that a busy machine hits
all alike.  Random pictures; nothing is read from disk, nothing augmented.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.comparison import markdown, ranging
from benchmarks.measuring import ROOT, describe_machine
from facial_expression.network.backend import versions

HEADER = (
    "network",
    "backend",
    "precision",
    "parameters",
    "MACs",
    "training (pictures/s)",
    "inference (pictures/s)",
)


class Combination(NamedTuple):
    """What one process measures."""

    model: str
    backend: str
    precision: str


Speeds = dict[str, Any]
"""What `benchmarks.network_speed` prints."""


def measure(combination: Combination, options: Sequence[str]) -> Speeds:
    """Measure one combination in a process of its own.

    Raises:
        SystemExit: the process failed; its message is shown.
    """
    command = [sys.executable, "-m", "benchmarks.network_speed", *combination, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip()[-2000:] or f"error: {' '.join(command)} failed")
    found: Speeds = json.loads(done.stdout.splitlines()[-1])
    return found


def row(combination: Combination, runs: Sequence[Speeds]) -> list[str]:
    """The cells of one combination under `HEADER`."""
    return [
        *combination,
        f"{runs[0]['parameters']:,}",
        f"{runs[0]['macs'] / 1e6:.1f} M",
        *(ranging([run[kind] for run in runs], 0) for kind in ("training", "inference")),
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every combination and print one table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", help="keys of models.BUILDERS; all by default")
    parser.add_argument("--backends", nargs="+", default=["tensorflow"])
    parser.add_argument("--precisions", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--repeats", type=int, default=3, help="processes of each combination")
    parser.add_argument("--side", default="48", help="pixels of the square pictures")
    parser.add_argument("--batch", default="128", help="pictures a step")
    parser.add_argument("--threads", default="2", help="of one operation")
    parser.add_argument("--seconds", default="5", help="of training, and of inference, a process")
    args = parser.parse_args(argv)
    options = [
        f"--{name}={getattr(args, name)}" for name in ("side", "batch", "threads", "seconds")
    ]
    todo = [
        Combination(*names)
        for names in itertools.product(
            args.models or known_models(), args.backends, args.precisions
        )
    ]
    runs: dict[Combination, list[Speeds]] = {combination: [] for combination in todo}
    for _, combination in itertools.product(range(args.repeats), todo):
        runs[combination].append(measure(combination, options))
    print(describe_machine(sorted({name for b in args.backends for name in versions(b)})))
    print(
        f"batches of {args.batch} at side {args.side}, {args.threads} threads; "
        f"median and range of {args.repeats} processes\n"
    )
    print(markdown([HEADER, *(row(combination, runs[combination]) for combination in todo)]))


def known_models() -> list[str]:
    """The names in `models.BUILDERS`, asked of a child so that Keras starts no backend here."""
    code = "from facial_expression.train.models import BUILDERS; print(*BUILDERS)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


if __name__ == "__main__":
    main()
