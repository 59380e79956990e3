"""Every score against its definition in plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from facial_expression.metrics.scores import (
    confused_pairs,
    headline,
    macro_f1,
    per_class,
)
from tests.metrics.cases import cases


def counted(labels: list[int], predicted: list[int], one: int) -> tuple[int, int, int]:
    """True positives, false positives, false negatives of class `one`, row by row."""
    pairs = list(zip(labels, predicted, strict=True))
    hit = sum(a == one and p == one for a, p in pairs)
    return hit, predicted.count(one) - hit, labels.count(one) - hit


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def quantiles(hits: int, n: int) -> tuple[float, float]:
    """The shares at which the chances of 0, 1, ... hits in n draws sum to 2.5 % and 97.5 %."""
    chances = [math.comb(n, k) * (hits / n) ** k * (1 - hits / n) ** (n - k) for k in range(n + 1)]
    sums = [math.fsum(chances[: k + 1]) for k in range(n + 1)]
    low, high = (next(k for k in range(n + 1) if sums[k] >= tail) for tail in (0.025, 0.975))
    return low / n, high / n


def naive(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    n, classes = probabilities.shape
    rows = probabilities.tolist()
    predicted = [row.index(max(row)) for row in rows]
    hits = sum(a == p for a, p in zip(labels.tolist(), predicted, strict=True))
    low, high = quantiles(hits, n)
    f1s, recalls, losses, squares, seconds = [], [], [], [], []
    for one in range(classes):
        tp, fp, fn = counted(labels.tolist(), predicted, one)
        f1s.append(ratio(2 * tp, 2 * tp + fp + fn))
        if tp + fn:
            recalls.append(tp / (tp + fn))
    for row, label in zip(rows, labels.tolist(), strict=True):
        total = sum(row)
        losses.append(-math.log(max(row[label], 1e-15) / total))
        squares.append(sum((p / total - (c == label)) ** 2 for c, p in enumerate(row)))
        seconds.append(label in sorted(range(classes), key=lambda c: -row[c])[:2])
    return {
        "n": n,
        "accuracy": hits / n,
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": sum(recalls) / len(recalls),
        "macro_f1": sum(f1s) / classes,
        "top_2_accuracy": sum(seconds) / n,
        "log_loss": sum(losses) / n,
        "brier": sum(squares) / n,
    }


@pytest.mark.filterwarnings("error")
@given(cases())
def test_every_score_is_its_definition(case):
    found, expected = headline(*case), naive(*case)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name
        assert isinstance(found[name], int if name == "n" else float), name
    assert found["accuracy"] <= found["top_2_accuracy"]


def test_a_tie_goes_to_the_first_class_in_every_score():
    found = headline(np.array([0, 1, 2, 3]), np.full((4, 4), 0.25))
    assert (found["accuracy"], found["top_2_accuracy"]) == (0.25, 0.5)


@pytest.mark.parametrize("right", [True, False])
def test_certainty_has_finite_scores(right):
    labels = np.array([0, 1, 1])
    found = headline(labels, np.eye(2)[labels if right else 1 - labels])
    assert found["log_loss"] == pytest.approx(0 if right else -math.log(1e-15), abs=1e-9)
    assert found["brier"] == pytest.approx(0 if right else 2, abs=1e-9)
    assert found["accuracy_low"] == found["accuracy_high"] == float(right)


@pytest.mark.filterwarnings("error")
@given(cases())
def test_per_class_is_its_definition(case):
    labels, probabilities = case
    predicted = probabilities.argmax(axis=1)
    names = [f"class {i}" for i in range(probabilities.shape[1])]
    table = per_class(labels, predicted, names)
    for i, row in enumerate(table.itertuples(index=False)):
        tp, fp, fn = counted(labels.tolist(), predicted.tolist(), i)
        scores = ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(2 * tp, 2 * tp + fp + fn)
        assert tuple(row) == (names[i], *map(pytest.approx, scores), tp + fn)
    assert table["support"].dtype == int
    present = table[table["support"] > 0]
    assert macro_f1(labels, predicted) == pytest.approx(present["f1"].mean())


@given(cases())
def test_confused_pairs_are_the_mistakes_counted(case):
    labels, probabilities = case
    names = [f"class {i}" for i in range(probabilities.shape[1])]
    predicted = probabilities.argmax(axis=1)
    mistakes = [(a, p) for a, p in zip(labels.tolist(), predicted.tolist(), strict=True) if a != p]
    found = confused_pairs(labels, predicted, names)
    assert list(found) == ["actual", "predicted", "count", "share_of_actual"]
    order = sorted(set(mistakes), key=lambda pair: (-mistakes.count(pair), pair))
    assert list(found.itertuples(index=False, name=None)) == [
        (names[a], names[p], mistakes.count((a, p)), pytest.approx(share))
        for a, p in order
        for share in [mistakes.count((a, p)) / labels.tolist().count(a)]
    ]
