"""How long the 95 % intervals of one split take, and the rest of what evaluate does with scores.

    python -m benchmarks.intervals [--rows 7178] [--repeats 5]

On labels drawn from random probabilities over seven classes.  Rivals in the same run: SciPy's
bootstrap of the log loss alone, and scoring every sample of rows anew (a few, scaled up).  Start it
with OPENBLAS_NUM_THREADS=1 for one core.  Target: 2 s.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import bootstrap

from benchmarks.measuring import describe_machine, spread, verdict
from facial_expression.evaluate import tables
from facial_expression.metrics.calibration import fit_temperature
from facial_expression.metrics.intervals import DRAWS, intervals
from facial_expression.metrics.scores import Labels, Probabilities, headline

CLASSES = [f"class {label}" for label in range(7)]
NAIVE = 20  # samples that are scored anew
TARGET = 2.0  # seconds


def predictions(rows: int, seed: int = 0) -> tuple[Labels, Probabilities]:
    """Labels (N,) drawn from the probabilities (N, 7) beside them."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(len(CLASSES), 0.5), rows)
    return rng.multinomial(1, probabilities).argmax(axis=1), probabilities


def repeated(function: Callable[[], object], repeats: int) -> list[float]:
    """CPU seconds of `repeats` calls, after one more that warms up."""
    function()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        function()
        seconds.append(time.process_time() - started)
    return seconds


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.intervals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=7178)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(argv)
    labels, probabilities = predictions(args.rows)
    picked = -np.log(probabilities[np.arange(args.rows), labels])
    sample = np.random.default_rng(0).integers(0, args.rows, (NAIVE, args.rows))

    def trust() -> None:
        temperature = fit_temperature(labels, probabilities)
        tables.trust(labels, probabilities, temperature)
        tables.tables(labels, probabilities, temperature, CLASSES)

    def scipy_s() -> None:
        bootstrap((picked,), np.mean, n_resamples=DRAWS, method="percentile", batch=100, rng=0)

    def naive() -> None:
        for rows in sample:
            headline(labels[rows], probabilities[rows])

    print(describe_machine(["numpy", "scipy", "scikit-learn"]), flush=True)
    ours = repeated(lambda: intervals(labels, probabilities), args.repeats)
    print(f"intervals of all scores, {args.rows:,} rows, {DRAWS:,} draws: CPU {spread(ours)}")
    print(f"{TARGET} s {verdict(ours, TARGET)}")
    print(f"calibration, selective prediction, tables: CPU {spread(repeated(trust, args.repeats))}")
    print(f"SciPy, log loss alone: CPU {spread(repeated(scipy_s, args.repeats))}")
    scaled = [seconds * DRAWS / NAIVE for seconds in repeated(naive, args.repeats)]
    print(f"every sample scored anew, scaled from {NAIVE}: CPU {spread(scaled)}")


if __name__ == "__main__":
    main()
