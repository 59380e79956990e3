"""95 % intervals of scores by the percentile bootstrap, which draws rows with replacement.

Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.  An interval says how much
a score would change on other pictures of the same kind, not in another training run.  It is too
short for fewer than some hundred pictures, and for shares near 0 or 1.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from facial_expression.metrics.scores import TAILS, Labels, Probabilities, normalised, top_2_hits

DRAWS = 10_000
CHUNK = 2**20  # drawn rows in memory at once

Floats = NDArray[np.float64]


def intervals(
    labels: Labels, probabilities: Probabilities, draws: int = DRAWS, seed: int = 0
) -> dict[str, float]:
    """`<score>_low` and `<score>_high` of every score of `headline` except accuracy.

    `headline` has the interval of accuracy, which has a closed form.  Arguments as in `resampled`.
    """
    found: dict[str, float] = {}
    for name, values in resampled(labels, probabilities, draws, seed).items():
        if name != "accuracy":
            low, high = np.quantile(values, TAILS)
            found |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return found


def resampled(
    labels: Labels, probabilities: Probabilities, draws: int, seed: int
) -> dict[str, Floats]:
    """Every score of `headline`, float64 (draws,), in samples of N rows with replacement.

    Every score is a function of sums over rows: the rows in each cell of the confusion matrix, the
    rows with their label among the top two, and the two losses.  So a sample is scored by a matrix
    product: how often each row was drawn, times the columns to sum.
    """
    n, classes = probabilities.shape
    rows, sure = np.arange(n), normalised(probabilities)
    log_loss = -np.log(sure[rows, labels])
    sure[rows, labels] -= 1
    sums = [top_2_hits(labels, probabilities), log_loss, np.square(sure).sum(axis=1)]
    cells, cell_of_row = np.unique(
        labels * classes + probabilities.argmax(axis=1), return_inverse=True
    )
    columns = np.hstack([np.eye(len(cells))[cell_of_row], np.column_stack(sums)])
    totals = np.concatenate([times @ columns for times in drawn(n, draws, seed)])
    confusion = np.zeros((draws, classes * classes))
    confusion[:, cells] = totals[:, : len(cells)]
    scores = of_confusion(confusion.reshape(draws, classes, classes))
    names = ("top_2_accuracy", "log_loss", "brier")
    return scores | dict(zip(names, totals[:, len(cells) :].T / n, strict=True))


def drawn(n: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each of n rows is drawn in samples of n with replacement, (some draws, n).

    `seed` is of the generator, which gives n integers below n for one sample after another.
    """
    rng = np.random.default_rng(seed)
    most = max(1, CHUNK // n)
    for start in range(0, draws, most):
        size = min(most, draws - start)
        rows = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        times = np.bincount(rows.ravel(), minlength=size * n).reshape(size, n)
        yield times.astype(np.float64)


def of_confusion(counts: Floats) -> dict[str, Floats]:
    """Three scores of each confusion matrix; counts are (draws, actual, predicted)."""
    hits = counts.diagonal(axis1=1, axis2=2)  # (draws, classes)
    actual, predicted = counts.sum(axis=2), counts.sum(axis=1)
    occurs = actual > 0
    recall = np.divide(hits, actual, out=np.zeros_like(hits), where=occurs)
    both = actual + predicted
    f1 = np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0)
    return {
        "accuracy": hits.sum(axis=1) / actual.sum(axis=1),
        "balanced_accuracy": recall.sum(axis=1) / occurs.sum(axis=1),
        "macro_f1": f1.mean(axis=1),
    }
