from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facial_expression.metrics import label_errors

Case = tuple[NDArray[np.int64], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Labels (N,) and probabilities (N, K); often classes that label nothing."""
    count, classes = draw(st.integers(1, 60)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    present = rng.choice(classes, draw(st.integers(1, classes)), replace=False)
    probabilities = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.1, 0.5, 5.0]))), count)
    if draw(st.booleans()):
        probabilities = probabilities.astype(np.float32).astype(np.float64)  # as a network's
    return rng.choice(present, count), probabilities


def naive_joint(case: Case) -> tuple[list[list[int]], list[list[float]]]:
    """The paper's equations 1 to 3, set by set."""
    labels, probabilities = case[0].tolist(), case[1].tolist()
    n, classes = len(labels), len(probabilities[0])
    t = {}
    for j in set(labels):
        own = [p[j] for label, p in zip(labels, probabilities, strict=True) if label == j]
        t[j] = sum(own) / len(own)
    sets: dict[tuple[int, int], set[int]] = {
        (i, j): set() for i in range(classes) for j in range(classes)
    }
    for x, (label, p) in enumerate(zip(labels, probabilities, strict=True)):
        reached = {j: p[j] for j in t if p[j] >= t[j] - label_errors.ROUNDING}
        if reached:
            sets[label, max(reached, key=lambda j: (reached[j], -j))].add(x)
    counted = [[len(sets[i, j]) for j in range(classes)] for i in range(classes)]
    joint = []
    for i in range(classes):
        total, given = sum(counted[i]), labels.count(i)
        shares = [c / total if total else float(i == j) for j, c in enumerate(counted[i])]
        joint.append([share * given / n for share in shares])
    return counted, joint


def naive_suspects(case: Case, joint: NDArray[np.float64]) -> list[int]:
    """Prune by noise rate, then by normalised margin, row by row."""
    labels, probabilities = case[0].tolist(), case[1].tolist()
    n, classes = len(labels), len(probabilities[0])
    chosen: set[int] = set()
    for i in range(classes):
        for j in range(classes):
            if i != j:
                rows = [x for x in range(n) if labels[x] == i]
                rows.sort(key=lambda x: (probabilities[x][i] - probabilities[x][j], x))
                chosen.update(rows[: round(n * joint[i][j])])

    def margin(x: int) -> float:
        others = [p for j, p in enumerate(probabilities[x]) if j != labels[x]]
        return probabilities[x][labels[x]] - max(others)

    return sorted((x for x in chosen if margin(x) < 0), key=lambda x: (margin(x), x))


@pytest.mark.filterwarnings("error")
@given(cases())
def test_the_joints_are_the_paper_s_sets(case: Case) -> None:
    counted, joint = naive_joint(case)
    assert label_errors.confident_joint(*case).tolist() == counted
    assert label_errors.estimated_joint(*case) == pytest.approx(np.array(joint))


@pytest.mark.filterwarnings("error")
@given(cases())
def test_the_suspects_are_those_of_the_naive_loop(case: Case) -> None:
    joint = label_errors.estimated_joint(*case)
    assert label_errors.suspects(*case, joint).tolist() == naive_suspects(case, joint)


@given(cases())
def test_the_joint_keeps_the_counts_of_the_labels(case: Case) -> None:
    labels, probabilities = case
    joint = label_errors.estimated_joint(*case)
    assert joint.sum() == pytest.approx(1)
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    assert joint.sum(axis=1) == pytest.approx(counts / len(labels))
    rates = label_errors.noise_rates(joint)
    assert ((rates >= -1e-12) & (rates <= 1 + 1e-12)).all()
    assert (rates[counts == 0] == 0).all()
    assert rates @ counts / len(labels) == pytest.approx(1 - joint.trace())


@given(cases())
def test_a_suspect_has_a_likelier_suggestion_and_stands_once(case: Case) -> None:
    labels, probabilities = case
    rows = label_errors.suspects(*case, label_errors.estimated_joint(*case))
    suggested = label_errors.suggestions(*case)
    margins = label_errors.normalised_margins(*case)
    assert len(set(rows.tolist())) == len(rows)
    assert (suggested != labels).all()
    assert (np.diff(margins[rows]) >= 0).all()
    assert (probabilities[rows].argmax(axis=1) == suggested[rows]).all()


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_pictures_does_not_matter(case: Case, random: Random) -> None:
    labels, probabilities = case
    order = list(range(len(labels)))
    random.shuffle(order)
    moved = labels[order], probabilities[order]
    joint = label_errors.estimated_joint(*case)
    assert label_errors.estimated_joint(*moved) == pytest.approx(joint)
    margins = label_errors.normalised_margins(*case)
    if len(np.unique(probabilities)) == probabilities.size:  # nothing is tied
        there = label_errors.suspects(*moved, joint)
        assert margins[np.array(order)[there]] == pytest.approx(
            margins[label_errors.suspects(*case, joint)]
        )


def noisy_labels(
    rng: np.random.Generator, noise: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """True classes (N,), and labels (N,) drawn from the row noise[true class]."""
    truth = rng.integers(0, len(noise), count)
    labels = np.array([rng.choice(len(noise), p=noise[true]) for true in truth])
    return truth, labels


NOISE = np.array(
    [[0.85, 0.10, 0.05, 0.0], [0.02, 0.90, 0.08, 0.0], [0.20, 0.0, 0.75, 0.05], [0, 0, 0.1, 0.9]]
)


def test_ideal_probabilities_find_exactly_the_errors() -> None:
    """The paper's theorem 1: with p(label | true class) the count is the truth, cell by cell."""
    truth, labels = noisy_labels(np.random.default_rng(0), NOISE, 2000)
    ideal = NOISE[truth]
    expected = np.zeros((4, 4), np.int64)
    np.add.at(expected, (labels, truth), 1)
    assert (label_errors.confident_joint(labels, ideal) == expected).all()
    joint = label_errors.estimated_joint(labels, ideal)
    assert joint == pytest.approx(expected / 2000)
    found = label_errors.suspects(labels, ideal, joint)
    assert set(found.tolist()) == set(np.flatnonzero(labels != truth).tolist())
    assert (label_errors.suggestions(labels, ideal)[found] == truth[found]).all()


def test_flipped_labels_of_overlapping_classes_are_found() -> None:
    """Four Gaussian classes in the plane, judged by the posterior of the true classes."""
    rng = np.random.default_rng(1)
    centres = np.array([[0, 0], [4, 0], [0, 4], [4, 4]])
    truth, labels = noisy_labels(rng, NOISE, 4000)
    points = centres[truth] + rng.normal(size=(4000, 2))
    likelihood = np.exp(-0.5 * ((points[:, None] - centres) ** 2).sum(axis=2))
    posterior = likelihood / likelihood.sum(axis=1, keepdims=True)
    joint = label_errors.estimated_joint(labels, posterior)
    flipped = labels != truth
    assert 1 - joint.trace() == pytest.approx(flipped.mean(), abs=0.02)
    found = label_errors.suspects(labels, posterior, joint)
    assert flipped[found].mean() > 0.85, "precision"
    assert flipped[found].sum() / flipped.sum() > 0.85, "recall"
    assert flipped[found[:200]].all(), "the first ones are errors"


def test_right_labels_of_separate_classes_are_left_alone() -> None:
    labels = np.arange(3).repeat(5)
    sure = 0.9 * np.eye(3)[labels] + 0.1 / 3
    joint = label_errors.estimated_joint(labels, sure)
    assert joint.trace() == pytest.approx(1)
    assert len(label_errors.suspects(labels, sure, joint)) == 0


def test_a_class_that_labels_nothing_has_no_threshold_that_can_be_reached() -> None:
    labels, flat = np.array([0, 0, 2]), np.full((3, 3), 1 / 3)
    assert label_errors.thresholds(labels, flat).tolist() == [1 / 3, math.inf, 1 / 3]
    assert label_errors.confident_joint(labels, flat)[:, 1].sum() == 0


def test_the_summary_is_named_and_finite() -> None:
    labels, flat = np.array([0, 0, 2]), np.full((3, 3), 1 / 3)
    found = label_errors.summary(labels, flat, ["a", "b", "c"])
    assert found["pictures"] == 3
    assert found["thresholds"]["b"] == 1
    assert found["estimated_joint"]["a"]["a"] == pytest.approx(2 / 3)
    assert found["confident_joint"]["c"] == {"a": 1, "b": 0, "c": 0}
    assert found["noise_rate_by_label"] == {"a": 0, "b": 0, "c": 1}
    assert found["noise_rate"] == pytest.approx(1 / 3)
