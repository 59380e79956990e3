from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facial_expression.core.arrays import Split
from facial_expression.core.errors import TrainingError
from facial_expression.network.recipe import Averaging, Optimizer, Progressive, Teacher
from facial_expression.train import batches, fit, models
from facial_expression.train.checkpoints import ARRAYS, State
from tests.train.recipes import PLAIN, RECIPE


def split(pictures: int, seed: int) -> Split:
    """Bright and dark halves: class 0 is bright on the left, class 1 on the right, 2 is flat."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, pictures)
    images = rng.integers(0, 60, (pictures, 48, 48))
    images[labels == 0, :, :24] += 150
    images[labels == 1, :, 24:] += 150
    return Split(
        images.astype(np.uint8),
        labels,
        [f"{i}.jpg" for i in range(pictures)],
        np.ones(pictures, bool),
    )


RATE = RECIPE.optimizer.learning_rate
DATA = fit.Data(split(70, 0), split(30, 1), 3)


def copied(state: State) -> State:
    lists = {name: list(getattr(state, name)) for name in ARRAYS}
    return State([dict(row) for row in state.history], **lists)


def rate(value: float) -> Optimizer:
    return replace(RECIPE.optimizer, learning_rate=value)


def values(model) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in model.variables]


def test_a_resumed_run_gives_the_unbroken_runs_bits():
    states: list[State] = []
    recipe = replace(
        RECIPE,
        schedule="triangular",
        augmentation=replace(PLAIN, flip="alternating", shift=2, rotation=5, mixup=0.2),
        averaging=Averaging(decay=0.5, start=0.3, every=2),
    )
    whole, history = fit.fit(recipe, DATA, after_epoch=lambda state: states.append(copied(state)))
    resumed, resumed_history = fit.fit(recipe, DATA, states[0])
    assert len(states) == 3
    assert resumed_history == history
    for mine, theirs in zip(values(resumed), values(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_history_is_what_an_independent_evaluation_says():
    model, history = fit.fit(RECIPE, DATA)
    probabilities = model.predict(DATA.val.images[..., None], verbose=0)
    rows = np.arange(len(DATA.val))
    loss = -np.log(probabilities[rows, DATA.val.labels]).mean()
    accuracy = (probabilities.argmax(axis=1) == DATA.val.labels).mean()
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[-1]["val_loss"] == pytest.approx(loss, abs=1e-4)
    assert history[-1]["val_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_rate_follows_the_schedule_over_the_whole_run():
    recipe = replace(RECIPE, epochs=10, schedule="triangular")
    steps = 5
    rates = [fit.learning_rate(recipe, steps, 1 + i // steps, i % steps) for i in range(10 * steps)]
    peak = int(np.argmax(rates))
    assert 0 < min(rates) < max(rates) <= RATE
    assert peak in (2 * steps - 1, 2 * steps)
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert fit.learning_rate(RECIPE, steps, 1, 0) == RATE


def test_early_stopping_waits_for_patience_and_keeps_the_best():
    recipe = replace(RECIPE, epochs=40, patience=1, keep="best", optimizer=rate(0.02))
    model, history = fit.fit(recipe, DATA)
    best = fit.best_epoch(recipe, history)
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
    assert fit.best_epoch(replace(RECIPE, monitor=monitor), history) == expected


def test_a_loss_that_is_not_finite_names_epoch_and_rate():
    recipe = replace(RECIPE, optimizer=replace(RECIPE.optimizer, name="sgd", learning_rate=1e30))
    message = r"in epoch [12].*train\.optimizer\.learning_rate \(now 1e\+30\)"
    with pytest.raises(TrainingError, match=message):
        fit.fit(recipe, DATA)


def test_a_network_that_does_not_predict_is_noticed(monkeypatch):
    """As JAX 0.12 made one in bfloat16: training's loss was finite, predictions were not."""
    monkeypatch.setattr(fit, "predicted", lambda model, images: np.full((len(images), 3), np.nan))
    with pytest.raises(TrainingError, match=r"validation loss is nan after epoch 1: .*float32"):
        fit.fit(replace(RECIPE, epochs=1), DATA)


def test_the_averaged_weights_are_validated_and_kept():
    recipe = replace(RECIPE, averaging=Averaging(decay=0.9, start=0, every=1))
    states: list[State] = []
    model, history = fit.fit(recipe, DATA, after_epoch=lambda state: states.append(copied(state)))
    for mine, theirs in zip(values(model), states[-1].average, strict=True):
        np.testing.assert_allclose(mine, theirs)
    last = states[-1].variables[: len(values(model))]
    assert any(not np.allclose(m, v) for m, v in zip(values(model), last, strict=True))
    probabilities = model.predict(DATA.val.images[..., None], verbose=0)
    loss = -np.log(probabilities[np.arange(len(DATA.val)), DATA.val.labels]).mean()
    assert history[-1]["val_loss"] == pytest.approx(loss, abs=1e-4)


def test_half_precision_leaves_a_float32_network():
    model, history = fit.fit(replace(RECIPE, precision="mixed_bfloat16"), DATA)
    assert {layer.compute_dtype for layer in model.layers} <= {"float32", "uint8"}
    assert history[-1]["loss"] < history[0]["loss"]


def test_small_pictures_come_first_and_the_network_is_for_full_size():
    recipe = replace(RECIPE, model="resnet18", epochs=2, batch_size=70)
    recipe = replace(recipe, progressive=Progressive(side=8, until=0.5))
    assert [recipe.side(epoch, 16) for epoch in (1, 2)] == [8, 16]
    small = fit.Data(*(batches.resized(part, 16) for part in (DATA.train, DATA.val)), classes=3)
    model, history = fit.fit(recipe, small)
    assert model.input_shape == (None, 16, 16, 1)
    assert len(history) == 2


def test_training_starts_from_another_network():
    source, _ = fit.fit(RECIPE, DATA)
    nothing = replace(RECIPE, epochs=1, optimizer=rate(1e-9))
    started, history = fit.fit(nothing, replace(DATA, initial=(source, "source.keras")))
    _, own_history = fit.fit(nothing, DATA)
    head = "logits"
    np.testing.assert_allclose(
        started.get_layer(head).get_weights()[0], source.get_layer(head).get_weights()[0], atol=1e-6
    )
    assert history[0]["accuracy"] > own_history[0]["accuracy"]


def test_a_student_follows_its_teacher():
    teacher = models.build("small", 48, 3)
    teacher.get_layer("logits").set_weights(
        [
            np.zeros_like(w) + [0, 0, 3] if w.ndim == 1 else w * 0
            for w in teacher.get_layer("logits").get_weights()
        ]
    )  # says class 2 whatever it sees
    recipe = replace(RECIPE, teacher=Teacher(weights="t.keras", sha256="", share=1))
    model, _ = fit.fit(replace(recipe, epochs=8), replace(DATA, teacher=teacher))
    probabilities = model.predict(DATA.train.images[..., None], verbose=0)
    assert (probabilities.argmax(axis=1) == 2).mean() > 0.9
