from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import top_k_accuracy_score

from facial_expression.metrics.scores import (
    confused_pairs,
    headline,
    per_class,
    share_interval,
    top_2_accuracy,
)
from tests.metrics.cases import Case, cases


def counted(labels: Sequence[int], predicted: Sequence[int], one: int) -> tuple[int, int, int]:
    """True positives, false positives, false negatives of class `one`, row by row."""
    pairs = list(zip(labels, predicted, strict=True))
    hit = sum(a == one and p == one for a, p in pairs)
    return (
        hit,
        sum(a != one and p == one for a, p in pairs),
        sum(a == one and p != one for a, p in pairs),
    )


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def quantiles(hits: int, n: int) -> tuple[float, float]:
    """The shares at which the chances of 0, 1, ... hits in n draws sum to 2.5 % and 97.5 %."""
    chances = [math.comb(n, k) * (hits / n) ** k * (1 - hits / n) ** (n - k) for k in range(n + 1)]
    sums = [math.fsum(chances[: k + 1]) for k in range(n + 1)]
    low, high = (next(k for k in range(n + 1) if sums[k] >= tail) for tail in (0.025, 0.975))
    return low / n, high / n


def naive(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Every score from its definition, in loops."""
    n, classes = probabilities.shape
    rows = [[float(p) for p in row] for row in probabilities]
    predicted = [row.index(max(row)) for row in rows]
    hits = sum(int(a) == p for a, p in zip(labels, predicted, strict=True))
    low, high = quantiles(hits, n)
    f1s, recalls, losses, squares = [], [], [], []
    for one in range(classes):
        tp, fp, fn = counted(labels.tolist(), predicted, one)
        f1s.append(ratio(2 * tp, 2 * tp + fp + fn))
        if tp + fn:
            recalls.append(tp / (tp + fn))
    for row, label in zip(rows, labels, strict=True):
        total = sum(row)
        losses.append(-math.log(max(row[label], 1e-15) / total))
        squares.append(sum((p / total - (c == label)) ** 2 for c, p in enumerate(row)))
    return {
        "n": n,
        "accuracy": hits / n,
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": sum(recalls) / len(recalls),
        "macro_f1": sum(f1s) / classes,
        "top_2_accuracy": sum(
            label in sorted(range(classes), key=lambda c: -row[c])[:2]
            for row, label in zip(rows, labels.tolist(), strict=True)
        ) / n,
        "log_loss": sum(losses) / n,
        "brier": sum(squares) / n,
    }  # fmt: skip


@pytest.mark.filterwarnings("error")
@given(cases())
def test_every_score_is_its_definition(case: Case) -> None:
    found = headline(*case)
    expected = naive(*case)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name
        assert isinstance(found[name], int if name == "n" else float), name


@given(cases())
def test_scores_keep_their_ranges_and_their_order(case: Case) -> None:
    found = headline(*case)
    assert 0 <= found["accuracy_low"] <= found["accuracy"] + 1e-12
    assert found["accuracy"] <= found["accuracy_high"] + 1e-12 <= 1 + 1e-9
    assert found["accuracy"] <= found["top_2_accuracy"] <= 1
    assert 0 <= found["brier"] <= 2
    assert all(math.isfinite(value) for value in found.values())


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(case: Case, random: Random) -> None:
    labels, probabilities = case
    order = list(range(len(labels)))
    random.shuffle(order)
    assert headline(labels[order], probabilities[order]) == pytest.approx(headline(*case))


@given(cases(min_classes=3))
def test_top_2_is_scikit_learn_s_where_nothing_is_tied(case: Case) -> None:
    labels, probabilities = case
    if len(np.unique(probabilities)) < probabilities.size:
        return
    classes = np.arange(probabilities.shape[1])
    expected = top_k_accuracy_score(labels, probabilities, k=2, labels=classes)
    assert top_2_accuracy(labels, probabilities) == pytest.approx(expected)


def test_top_2_of_two_classes_is_everything() -> None:
    assert top_2_accuracy(np.array([0, 1]), np.array([[0.1, 0.9], [0.1, 0.9]])) == 1.0


def test_a_tie_goes_to_the_first_class_in_every_score() -> None:
    labels, flat = np.array([0, 1, 2, 3]), np.full((4, 4), 0.25)
    found = headline(labels, flat)
    assert (found["accuracy"], found["top_2_accuracy"]) == (0.25, 0.5)
    assert found["log_loss"] == pytest.approx(math.log(4))
    assert found["brier"] == pytest.approx(0.75)


@pytest.mark.parametrize("classes", [2, 7])
def test_perfect_predictions(classes: int) -> None:
    labels = np.arange(classes).repeat(3)
    found = headline(labels, np.eye(classes)[labels])
    assert found["accuracy"] == found["balanced_accuracy"] == found["macro_f1"] == 1.0
    assert found["accuracy_high"] == pytest.approx(1.0)
    assert found["log_loss"] == pytest.approx(0.0, abs=1e-9)
    assert found["brier"] == pytest.approx(0.0, abs=1e-9)


def test_sure_and_wrong_is_finite_and_the_worst() -> None:
    found = headline(np.array([0, 0]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert found["log_loss"] == pytest.approx(-math.log(1e-15))
    assert found["brier"] == pytest.approx(2.0)
    assert found["accuracy_low"] == pytest.approx(0.0, abs=1e-12)


def test_the_interval_of_a_share_is_what_resampling_gives() -> None:
    """13 right of 40, resampled row by row."""
    rng = np.random.default_rng(0)
    rows = np.arange(40) < 13
    shares = [rows[rng.integers(0, 40, 40)].mean() for _ in range(20_000)]
    assert np.quantile(shares, (0.025, 0.975)) == pytest.approx(share_interval(13, 40))


def test_with_a_normal_share_the_interval_is_the_normal_one() -> None:
    """p plus or minus 1.96 sqrt(p (1 - p) / n), to the nearest row."""
    half = 1.959964 * math.sqrt(0.7 * 0.3 / 3589)
    found = share_interval(2512, 3589)
    assert found == pytest.approx((2512 / 3589 - half, 2512 / 3589 + half), abs=1 / 3589)


@pytest.mark.filterwarnings("error")
@given(cases())
def test_per_class_is_its_definition(case: Case) -> None:
    labels, probabilities = case
    predicted = probabilities.argmax(axis=1)
    names = [f"class {i}" for i in range(probabilities.shape[1])]
    table = per_class(labels, predicted, names)
    assert [line[0] for line in table] == names
    for i, (_, precision, recall, f1, support) in enumerate(table):
        tp, fp, fn = counted(labels.tolist(), predicted.tolist(), i)
        assert precision == pytest.approx(ratio(tp, tp + fp))
        assert recall == pytest.approx(ratio(tp, tp + fn))
        assert f1 == pytest.approx(ratio(2 * tp, 2 * tp + fp + fn))
        assert support == tp + fn
    assert sum(line[4] for line in table) == len(labels)


@given(cases())
def test_the_table_and_the_headline_agree(case: Case) -> None:
    labels, probabilities = case
    table = per_class(labels, probabilities.argmax(axis=1), ["x"] * probabilities.shape[1])
    found = headline(labels, probabilities)
    assert found["macro_f1"] == pytest.approx(np.mean([line[3] for line in table]))
    recalls = [line[2] for line in table if line[4]]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))


@given(cases())
def test_confused_pairs_are_the_mistakes_counted(case: Case) -> None:
    labels, probabilities = case
    names = [f"class {i}" for i in range(probabilities.shape[1])]
    predicted = probabilities.argmax(axis=1)
    mistakes = [(a, p) for a, p in zip(labels.tolist(), predicted.tolist(), strict=True) if a != p]
    found = confused_pairs(labels, predicted, names)
    order = sorted(set(mistakes), key=lambda pair: (-mistakes.count(pair), pair))
    assert found == [
        (names[a], names[p], mistakes.count((a, p)), pytest.approx(share))
        for a, p in order
        for share in [mistakes.count((a, p)) / labels.tolist().count(a)]
    ]


def test_without_a_mistake_there_is_no_pair() -> None:
    assert confused_pairs(np.array([0, 1]), np.array([0, 1]), ["a", "b"]) == []
