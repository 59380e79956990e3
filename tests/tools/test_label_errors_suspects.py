"""cleanlab is asked the right questions: against naive loops, and labels flipped on purpose."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tools.label_errors import suspects

Case = tuple[NDArray[np.int64], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Labels (N,) of two classes or more and probabilities (N, K); often classes without labels."""
    count, classes = draw(st.integers(2, 60)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    present = rng.choice(classes, draw(st.integers(2, classes)), replace=False)
    probabilities = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.5, 1.0, 5.0]))), count)
    labels = rng.choice(present, count)
    assume(len(np.unique(labels)) > 1)
    return labels, probabilities


def joint_of(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], kind: str = "estimated_joint"
) -> NDArray[np.float64]:
    """A joint of `summary` as an array (label, true class)."""
    names = [str(label) for label in range(probabilities.shape[1])]
    found = suspects.summary(labels, probabilities, names)[kind]
    return np.array([list(row.values()) for row in found.values()])


@pytest.mark.filterwarnings("error")
@given(cases())
def test_a_suspect_has_a_likelier_class_and_stands_once(case):
    labels, probabilities = case
    found = suspects.suspects(*case)
    assert len(set(found.tolist())) == len(found)
    margins = probabilities[found, labels[found]] - probabilities[found].max(axis=1)
    assert (margins < 0).all()
    assert (np.diff(margins) >= -1e-12).all(), "most suspect first"


def test_ideal_probabilities_find_exactly_the_errors(capfd):
    """The paper's theorem 1: with p(label | true class) the count is the truth, cell by cell."""
    noise = np.array(
        [[0.85, 0.1, 0.05, 0], [0.02, 0.9, 0.08, 0], [0.2, 0, 0.75, 0.05], [0, 0, 0.1, 0.9]]
    )
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 2000)
    labels = np.array([rng.choice(4, p=noise[true]) for true in truth])
    ideal = noise[truth]
    expected = np.zeros((4, 4), np.int64)
    np.add.at(expected, (labels, truth), 1)
    assert (joint_of(labels, ideal, "confident_joint") == expected).all()
    assert joint_of(labels, ideal) == pytest.approx(expected / 2000)
    found = suspects.suspects(labels, ideal).tolist()
    assert sorted(found) == np.flatnonzero(labels != truth).tolist()
    assert found == suspects.suspects(labels, ideal).tolist()
    assert capfd.readouterr() == ("", ""), "no progress bar, no message"


@pytest.mark.filterwarnings("error")
def test_a_class_without_pictures_or_predictions_is_named_and_finite():
    """Class b labels nothing; class c is given to two pictures and believed of none."""
    labels = np.array([0, 0, 0, 0, 2, 2])
    probabilities = np.tile([0.9, 0.1, 0.0], (6, 1))
    found = suspects.summary(labels, probabilities, ["a", "b", "c"])
    assert found["pictures"] == 6
    assert found["thresholds"] == pytest.approx({"a": 0.9, "b": 1, "c": 0}, abs=1e-5)
    assert found["confident_joint"]["a"] == {"a": 4, "b": 0, "c": 0}
    assert found["confident_joint"]["c"] == {"a": 2, "b": 0, "c": 1}
    assert found["estimated_joint"]["a"] == pytest.approx({"a": 4 / 6, "b": 0, "c": 0})
    assert found["noise_rate_by_label"] == {"a": 0, "b": 0, "c": 0.5}
    assert found["noise_rate"] == pytest.approx(1 / 6)
    assert found["estimated_errors"] == pytest.approx(1)
    assert found["out_of_fold_accuracy"] == pytest.approx(4 / 6)
    assert found["suspects"] == 1
