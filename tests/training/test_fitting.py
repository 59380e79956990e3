from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from facial_expression.dataset.arrays import Split
from facial_expression.errors import TrainingError
from facial_expression.training import fitting
from facial_expression.training.checkpoints import State
from facial_expression.training.recipe import Recipe

RECIPE = Recipe(
    model="small",
    backend="tensorflow",
    threads=2,
    seed=0,
    epochs=3,
    batch_size=16,
    optimizer="adam",
    learning_rate=0.001,
    schedule="constant",
    flip=False,
    shift=0,
    class_weights="none",
    monitor="val_loss",
    keep="last",
    patience=0,
)


def split(pictures: int, seed: int) -> Split:
    """Bright and dark halves: class 0 is bright on the left, class 1 on the right, 2 is flat."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, pictures)
    images = rng.integers(0, 60, (pictures, 48, 48))
    images[labels == 0, :, :24] += 150
    images[labels == 1, :, 24:] += 150
    return Split(images.astype(np.uint8), labels, [f"{i}.jpg" for i in range(pictures)])


DATA = fitting.Data(split(70, 0), split(30, 1), 3)


def copied(state: State) -> State:
    return State([dict(row) for row in state.history], list(state.variables), list(state.best))


def values(model) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in model.variables]


def test_a_resumed_run_gives_the_unbroken_runs_bits():
    states: list[State] = []
    recipe = replace(RECIPE, schedule="triangular", flip=True, shift=2)
    whole, history = fitting.fit(
        recipe, DATA, after_epoch=lambda state: states.append(copied(state))
    )
    resumed, resumed_history = fitting.fit(recipe, DATA, states[0])
    assert len(states) == 3
    assert resumed_history == history
    for mine, theirs in zip(values(resumed), values(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_history_is_what_an_independent_evaluation_says():
    model, history = fitting.fit(RECIPE, DATA)
    probabilities = model.predict(DATA.val.images[..., None], verbose=0)
    rows = np.arange(len(DATA.val))
    loss = -np.log(probabilities[rows, DATA.val.labels]).mean()
    accuracy = (probabilities.argmax(axis=1) == DATA.val.labels).mean()
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[-1]["val_loss"] == pytest.approx(loss, abs=1e-4)
    assert history[-1]["val_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert history[-1]["loss"] < history[0]["loss"]


@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 64), st.integers(1, 9))
def test_every_picture_comes_once_an_epoch(seed, pictures, batch_size, epoch):
    recipe = replace(RECIPE, seed=seed, batch_size=batch_size)
    batches = fitting.batch_order(recipe, pictures, epoch)
    assert sorted(np.concatenate(batches)) == list(range(pictures))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size


def test_epochs_have_different_orders():
    first, second = (np.concatenate(fitting.batch_order(RECIPE, 70, epoch)) for epoch in (1, 2))
    assert not np.array_equal(first, second)


def test_the_rate_follows_the_schedule_over_the_whole_run():
    recipe = replace(RECIPE, epochs=10, schedule="triangular")
    steps = -(-70 // recipe.batch_size)
    rates = [
        fitting.learning_rate(recipe, 70, 1 + i // steps, i % steps) for i in range(10 * steps)
    ]
    peak = int(np.argmax(rates))
    assert 0 < min(rates) < max(rates) <= recipe.learning_rate
    assert peak in (2 * steps - 1, 2 * steps)
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert fitting.learning_rate(RECIPE, 70, 1, 0) == RECIPE.learning_rate


def test_balanced_class_weights_are_scikit_learns():
    labels = np.array([0, 0, 0, 1, 2, 2])
    data = fitting.Data(Split(np.zeros((6, 48, 48), np.uint8), labels, []), DATA.val, 3)
    weights = fitting.class_weights(replace(RECIPE, class_weights="balanced"), data)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert fitting.class_weights(RECIPE, data) is None


def test_early_stopping_waits_for_patience_and_keeps_the_best():
    recipe = replace(RECIPE, epochs=40, patience=1, keep="best", learning_rate=0.02)
    model, history = fitting.fit(recipe, DATA)
    best = fitting.best_epoch(recipe, history)
    assert len(history) == min(best + 1, 40)
    assert best == 1 + int(np.argmin([row["val_loss"] for row in history]))
    probabilities = model.predict(DATA.val.images[..., None], verbose=0)
    loss = -np.log(probabilities[np.arange(len(DATA.val)), DATA.val.labels]).mean()
    assert loss == pytest.approx(history[best - 1]["val_loss"], abs=1e-4)


@pytest.mark.parametrize(("monitor", "expected"), [("val_loss", 2), ("val_accuracy", 3)])
def test_the_best_epoch_follows_the_monitored_value(monitor, expected):
    history = [
        {"val_loss": 2.0, "val_accuracy": 0.1},
        {"val_loss": 1.0, "val_accuracy": 0.2},
        {"val_loss": 1.5, "val_accuracy": 0.3},
        {"val_loss": 1.0, "val_accuracy": 0.3},
    ]
    assert fitting.best_epoch(replace(RECIPE, monitor=monitor), history) == expected


def test_a_loss_that_is_not_finite_names_epoch_and_rate():
    recipe = replace(RECIPE, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"in epoch [12].*train\.learning_rate \(now 1e\+30\)"):
        fitting.fit(recipe, DATA)
