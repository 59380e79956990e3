"""How soon a stage answers, and how long the whole sample takes.

    python -m benchmarks.startup

1. `python -m stages.<stage> --help`, beside an idle Python and `import tensorflow`.  Target for the
   stages that need no TensorFlow: 1.5 s.
2. `dvc repro` of the embedded sample in a fresh clone without a cache.  Target: 90 s on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import (
    ROOT,
    clone,
    describe_machine,
    dvc,
    ratio,
    repeated,
    spread,
    timed,
    verdict,
)

LIGHT = ("fetch", "index", "preprocess", "plot")
HEAVY = ("train", "evaluate")  # they need TensorFlow to work, so nothing was promised
ANSWER, REPRO = 1.5, 90  # the targets in seconds


def benchmark_help(repeats: int) -> None:
    """Print how soon each stage answers `--help`."""
    idle = repeated([sys.executable, "-c", "pass"], ROOT, repeats)
    importing = repeated([sys.executable, "-c", "import tensorflow"], ROOT, repeats)
    print(f"an idle Python     {spread(idle)}")
    print(f"import tensorflow  {spread(importing)}")
    for stage in (*LIGHT, *HEAVY):
        seconds = repeated([sys.executable, "-m", f"stages.{stage}", "--help"], ROOT, repeats)
        kept = f"{ANSWER} s {verdict(seconds, ANSWER)}" if stage in LIGHT else "no target"
        part = ratio(seconds, importing)
        print(f"{stage:<11} --help {spread(seconds)}: {kept}; {part:.2f}x of import tensorflow")


def benchmark_repro(repeats: int) -> None:
    """Print how long the whole sample takes, each time in a clone of its own."""
    with tempfile.TemporaryDirectory(prefix="startup-") as temporary:
        folders = [clone(ROOT, Path(temporary) / str(number)) for number in range(repeats)]
        seconds = [timed(dvc("repro"), folder).seconds for folder in folders]
    print(f"dvc repro of the sample {spread(seconds)}: {REPRO} s {verdict(seconds, REPRO)}")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each --help")
    parser.add_argument("--repro", type=int, default=1, help="runs of dvc repro; 0: none")
    args = parser.parse_args(argv)
    print(describe_machine(["dvc", "keras"]), flush=True)
    benchmark_help(args.repeats)
    if args.repro:
        benchmark_repro(args.repro)


if __name__ == "__main__":
    main()
