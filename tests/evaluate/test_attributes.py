import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from facial_expression.evaluate.attributes import MOST, by_attribute
from tests.metrics.cases import calibrated, cases, sharpened

SCORES = ("accuracy", "balanced_accuracy", "overconfidence", "gap")


def people(paths: list[str], **columns) -> pd.DataFrame:
    return pd.DataFrame({"path": paths, "group": "", **columns})


def names(n: int) -> list[str]:
    return [f"test/a/{i}.png" for i in range(n)]


@settings(max_examples=25, deadline=None)
@given(case=cases(), data=st.data())
def test_scores_are_those_of_scikit_learn_on_the_pictures_of_a_value(case, data):
    labels, probabilities = case
    values = data.draw(
        st.lists(st.sampled_from(["", "f", "m"]), min_size=len(labels), max_size=len(labels))
    )
    sure = sharpened(probabilities, 2.0)
    about = people(names(len(labels)), sex=values).sample(frac=1, random_state=0)  # in any order
    rows = by_attribute(about, names(len(labels)), labels, probabilities, sure, draws=20)
    assert [row["value"] for row in rows] == (["f", "m"] if {"f", "m"} <= set(values) else [])
    guessed = probabilities.argmax(axis=1)
    for row in rows:
        own = np.array(values) == row["value"]
        others = ~own & (np.array(values) != "")
        accuracy = accuracy_score(labels[own], guessed[own])
        assert (row["attribute"], row["n"]) == ("sex", own.sum())
        assert row["accuracy"] == pytest.approx(accuracy)
        assert row["gap"] == pytest.approx(accuracy - (guessed == labels)[others].mean())
        assert row["overconfidence"] == pytest.approx(sure[own].max(axis=1).mean() - accuracy)
        over = np.unique(labels[own])
        recall = recall_score(labels[own], guessed[own], labels=over, average="macro")
        assert row["balanced_accuracy"] == pytest.approx(recall)
        for score in SCORES:
            assert row[f"{score}_low"] <= row[f"{score}_high"]


def example(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels, probabilities = calibrated(n, 3, seed=0)
    return labels, probabilities, probabilities


def test_intervals_are_those_of_a_plain_bootstrap():
    labels, probabilities, _ = example()
    sex = np.where(np.arange(400) % 4, "f", "m")
    (female, _) = by_attribute(
        people(names(400), sex=sex), names(400), *example(), draws=4000
    )  # fmt: skip
    rng = np.random.default_rng(5)
    right = probabilities.argmax(axis=1) == labels
    gaps = []
    for _ in range(4000):
        rows = rng.integers(0, 400, 400)
        own = sex[rows] == "f"
        gaps.append(right[rows][own].mean() - right[rows][~own].mean())
    expected = np.quantile(gaps, [0.025, 0.975])
    assert [female["gap_low"], female["gap_high"]] == pytest.approx(expected, abs=0.01)


def test_where_persons_are_named_they_are_drawn_and_intervals_are_wider():
    """Forty pictures of each of ten persons, all right or all wrong, are ten pictures' worth."""
    right = np.repeat(np.arange(10) % 2, 40).astype(bool)
    labels = np.where(right, 0, 1)
    probabilities = np.tile([0.9, 0.1], (400, 1))
    sex = np.where(np.arange(400) % 2, "f", "m")
    width = {}
    for named in (False, True):
        group = [f"p{i // 40}" if named else "" for i in range(400)]
        about = people(names(400), sex=sex).assign(group=group)
        first, _ = by_attribute(about, names(400), labels, probabilities, probabilities)
        width[named] = first["accuracy_high"] - first["accuracy_low"]
    assert width[True] > 3 * width[False]


def test_an_attribute_of_one_value_or_of_too_many_is_not_scored():
    ages = [str(i % (MOST + 1)) for i in range(400)]
    about = people(names(400), age=ages, race="x", sex=["f", "m"] * 200)
    rows = by_attribute(about, names(400), *example(), draws=10)
    assert [(row["attribute"], row["value"]) for row in rows] == [("sex", "f"), ("sex", "m")]
    assert by_attribute(people([]), names(400), *example(), draws=10) == []
