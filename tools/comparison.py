"""Whether two sets of predictions, or two groups of runs, differ by more than noise.

Two runs that were scored on the same pictures are compared picture by picture.  Pictures that both
got right, or both got wrong, say nothing about the difference, so a paired interval is narrower
than two intervals side by side.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, ttest_ind

from facial_expression.metrics.intervals import DRAWS, of_confusion
from facial_expression.metrics.scores import TAILS, Labels, macro_f1

LEVEL = 0.95
"""Confidence level of every interval here."""


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Hits(NamedTuple):
    """How many pictures both, only A, only B, and neither of two runs got right."""

    both: int
    only_a: int
    only_b: int
    neither: int


def count_hits(actual: Labels, a: Labels, b: Labels) -> Hits:
    """The paired 2x2 table of two runs' predictions; all int64 (N,)."""
    cells = 2 * (a != actual) + (b != actual)
    return Hits(*np.bincount(cells, minlength=4).tolist())


def accuracy_difference(hits: Hits) -> Estimate:
    """B's accuracy less A's, in [-1, 1], with Newcombe's paired interval; one picture at least.

    Method 10 of R. G. Newcombe, "Improved confidence intervals for the difference between binomial
    proportions based on paired data", Statistics in Medicine 17 (1998), 2635-2650: the Wilson
    intervals of both accuracies, joined by their correlation phi.  Phi has a continuity correction
    where it is positive, and is 0 where it is undefined.
    """
    both, only_a, only_b, neither = hits
    n = sum(hits)
    right_a, right_b = both + only_a, both + only_b
    a, b = right_a / n, right_b / n
    wilson_a, wilson_b = (
        binomtest(right, n).proportion_ci(LEVEL, method="wilson") for right in (right_a, right_b)
    )
    excess = float(both * neither - only_a * only_b)
    if excess > 0:
        excess = max(excess - n / 2, 0.0)
    margins = math.sqrt(right_a * (n - right_a) * right_b * (n - right_b))
    phi = excess / margins if margins else 0.0

    def distance(one: float, other: float) -> float:
        return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))

    low = b - a - distance(b - wilson_b.low, wilson_a.high - a)
    high = b - a + distance(wilson_b.high - b, a - wilson_a.low)
    return Estimate(b - a, low, high)


def mcnemar(hits: Hits) -> float:
    """P-value of McNemar's exact test; 1 where the two runs are right on the same pictures.

    If neither run is better, a picture that only one got right is as likely A's as B's.  Q.
    McNemar, Psychometrika 12 (1947), 153-157.
    """
    discordant = hits.only_a + hits.only_b
    return float(binomtest(hits.only_b, discordant, 0.5).pvalue) if discordant else 1.0


def macro_f1_difference(
    actual: Labels, a: Labels, b: Labels, classes: int, seed: int = 0, draws: int = DRAWS
) -> Estimate:
    """B's macro F1 less A's with the percentile interval of the paired bootstrap.

    Pictures are drawn with replacement, each with both its predictions (B. Efron, R. Tibshirani,
    "An Introduction to the Bootstrap", 1993, chapter 13).  The score depends only on how often each
    combination of actual class and two predictions occurs.  So these counts are drawn, from a
    multinomial distribution: the result is the same and takes a fraction of the time.
    Labels and predictions are int64 (N,), from 0 to `classes` - 1.
    """
    kinds, counts = np.unique(np.stack([actual, a, b]), axis=1, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(actual), counts / len(actual), size=draws)  # (draws, kinds)
    cells = np.eye(classes * classes)
    f1_a, f1_b = (
        of_confusion((drawn @ cells[kinds[0] * classes + run]).reshape(-1, classes, classes))
        for run in kinds[1:]
    )
    low, high = np.quantile(f1_b["macro_f1"] - f1_a["macro_f1"], TAILS)
    value = macro_f1(actual, b, classes) - macro_f1(actual, a, classes)
    return Estimate(value, float(low), float(high))


def mean_difference(a: Sequence[float], b: Sequence[float]) -> tuple[Estimate, float]:
    """Mean of B less mean of A with Welch's interval, and the p-value of Welch's test.

    B. L. Welch, Biometrika 34 (1947), 28-35.  Each group needs two values.  If no group varies, the
    interval has no width, and the p-value is 0, or 1 if the means are equal.
    """
    value = float(np.mean(b) - np.mean(a))
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return Estimate(value, value, value), float(value == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a group without variation is no mistake
        test = ttest_ind(b, a, equal_var=False)
        interval = test.confidence_interval(LEVEL)
    return Estimate(value, float(interval.low), float(interval.high)), float(test.pvalue)
