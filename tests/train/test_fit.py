from copy import deepcopy
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facial_expression.core.arrays import Split
from facial_expression.core.errors import ModelError, ParameterError, TrainingError
from facial_expression.network.devices import Devices
from facial_expression.network.recipe import Averaging, Optimizer, Teacher
from facial_expression.train import fit, models
from facial_expression.train.checkpoints import State
from tests.helpers import one_line
from tests.train.recipes import PLAIN, RECIPE


def split(pictures: int, seed: int) -> Split:
    """Bright and dark halves: class 0 is bright on the left, class 1 on the right, 2 is flat."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, pictures)
    images = rng.integers(0, 60, (pictures, 48, 48))
    images[labels == 0, :, :24] += 150
    images[labels == 1, :, 24:] += 150
    return Split(images.astype(np.uint8), labels, [""] * pictures, np.ones(pictures, bool))


CLASSES = ("calm", "cross", "glad")
DATA = fit.Data(split(70, 0), split(30, 1), CLASSES)


def rate(value: float) -> Optimizer:
    return replace(RECIPE.optimizer, learning_rate=value)


def values(model) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in model.variables]


def scored(model) -> tuple[float, float]:
    """Log loss and accuracy on val, by plain Keras and NumPy."""
    probabilities = model.predict(DATA.val.images[..., None], verbose=0)
    loss = -np.log(probabilities[np.arange(len(DATA.val)), DATA.val.labels]).mean()
    return float(loss), float((probabilities.argmax(axis=1) == DATA.val.labels).mean())


@pytest.fixture(scope="module")
def fitted():
    """The network of the plain recipe, and its history."""
    return fit.fit(RECIPE, DATA)


VARIED = replace(
    RECIPE,
    schedule="triangular",
    augmentation=replace(PLAIN, flip="alternating", shift=2, rotation=5, mixup=0.2),
    averaging=Averaging(decay=0.5, start=0.3),
)


@pytest.fixture(scope="module")
def varied():
    """The network of a recipe with averaged weights, its history, and the state of each epoch."""
    states: list[State] = []
    return *fit.fit(VARIED, DATA, after_epoch=lambda state: states.append(deepcopy(state))), states


def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(varied):
    whole, history, states = varied
    resumed, resumed_history = fit.fit(VARIED, DATA, states[0])
    assert len(states) == 3
    assert resumed_history == history
    for mine, theirs in zip(values(resumed), values(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    # 5 steps an epoch: the rates in the middle of the steps 5, 10 and 15 of 15
    shares = [row["learning_rate"] / RECIPE.optimizer.learning_rate for row in history]
    np.testing.assert_allclose(shares, [(1 - d / 30) / 0.8 for d in (9, 19, 29)], rtol=1e-6)


def test_history_is_what_an_independent_evaluation_says(fitted):
    model, history = fitted
    loss, accuracy = scored(model)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {row["learning_rate"] for row in history} == {RECIPE.optimizer.learning_rate}
    assert history[-1]["val_loss"] == pytest.approx(loss, abs=1e-4)
    assert history[-1]["val_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert history[-1]["loss"] < history[0]["loss"]


@given(st.floats(0, 1))
def test_the_triangle_is_the_line_between_its_three_corners(done):
    expected = np.interp(done, [0.0, 0.2, 1.0], [0.0, 1.0, 0.0])
    assert fit.triangular(done) == pytest.approx(expected, abs=1e-12)


@given(arrays(np.float32, (6, 4), elements=st.floats(-100, 100, width=32)), st.floats(0, 0.99))
def test_the_average_is_that_of_a_naive_loop(steps, decay):
    average: list[np.ndarray] = []
    expected = steps[0].astype(np.float64)
    for step, value in enumerate(steps):
        average = fit.averaged(average, [value, np.array([step], np.int64)], decay)
        for i in range(4):
            expected[i] = decay * expected[i] + (1 - decay) * float(value[i])
    np.testing.assert_allclose(average[0], expected, atol=1e-3)
    assert average[0].dtype == np.float32
    assert average[1].tolist() == [5], "the state of a generator is not averaged"


def test_the_averaged_weights_are_validated_and_kept(varied):
    model, history, states = varied
    for mine, theirs in zip(values(model), states[-1].average, strict=True):
        np.testing.assert_allclose(mine, theirs)
    last = states[-1].variables[: len(values(model))]
    assert any(not np.allclose(m, v) for m, v in zip(values(model), last, strict=True))
    assert history[-1]["val_loss"] == pytest.approx(scored(model)[0], abs=1e-4)


def test_the_best_epoch_is_kept():
    recipe = replace(RECIPE, epochs=6, keep="best", optimizer=rate(0.05))
    model, history = fit.fit(recipe, DATA)
    losses = [row["val_loss"] for row in history]
    assert np.argmin(losses) < 5, "the last epoch is not the best"
    assert scored(model)[0] == pytest.approx(min(losses), abs=1e-4)


@pytest.mark.parametrize(("monitor", "expected"), [("val_loss", 2), ("val_accuracy", 3)])
def test_the_best_epoch_follows_the_monitored_value(monitor, expected):
    values = [(2.0, 0.1), (1.0, 0.2), (1.5, 0.3), (1.0, 0.3)]
    history = [{"val_loss": loss, "val_accuracy": accuracy} for loss, accuracy in values]
    assert fit.best_epoch(monitor, history) == expected


def test_a_network_that_does_not_predict_is_noticed(monkeypatch):
    """As with JAX 0.12 in bfloat16: the training loss was finite, predictions were not."""
    nothing = np.full((len(DATA.val), 3), np.nan)
    monkeypatch.setattr(fit, "predicted", lambda *given, **named: nothing)
    with pytest.raises(TrainingError, match=r"validation loss is nan after epoch 1: .*float32"):
        fit.fit(replace(RECIPE, epochs=1), DATA)


def test_devices_that_cannot_share_a_batch_are_refused():
    message = one_line("train.batch_size", "a multiple of the 3 devices, found 16")
    with pytest.raises(ParameterError, match=message):
        fit.fit(RECIPE, DATA, devices=Devices(3))


def test_half_precision_leaves_a_float32_network():
    model, history = fit.fit(replace(RECIPE, precision="mixed_bfloat16", epochs=2), DATA)
    assert {layer.compute_dtype for layer in model.layers} <= {"float32", "uint8"}
    assert history[-1]["loss"] < history[0]["loss"]


def test_a_student_follows_its_teacher():
    teacher = models.build("small", 48, 3)
    head = teacher.get_layer("logits")
    head.set_weights([np.zeros(head.kernel.shape), np.array([0, 0, 3])])  # says always class 2
    given = Teacher(weights="t.keras", sha256="", classes=CLASSES, share=1)
    recipe = replace(RECIPE, epochs=8, teacher=given)
    model, _ = fit.fit(recipe, replace(DATA, teacher=teacher))
    probabilities = model.predict(DATA.train.images[..., None], verbose=0)
    assert (probabilities.argmax(axis=1) == 2).mean() > 0.9


def logits(side: int) -> keras.Model:
    pictures = keras.Input((side, side, 1))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pictures))
    return keras.Model(pictures, keras.layers.Dense(3)(flat))


@pytest.mark.parametrize(
    ("teacher", "classes", "said"),
    [
        (lambda: models.build("small", 48, 3), CLASSES[::-1], "train.teacher.classes: expected"),
        (lambda: models.build("small", 48, 3), (), "train.teacher.classes: expected .* found none"),
        (lambda: models.build("small", 48, 4), CLASSES, r"t.keras: expected .* found .* \(None, 4"),
        (lambda: models.build("small", 64, 3), CLASSES, "t.keras: expected .* preprocess.side"),
        (lambda: logits(48), CLASSES, "t.keras: expected probabilities"),
    ],
)
def test_a_teacher_of_something_else_is_refused(teacher, classes, said):
    given = Teacher(weights="t.keras", sha256="", classes=classes, share=1)
    with pytest.raises(ModelError, match=said):
        fit.fit(replace(RECIPE, teacher=given), replace(DATA, teacher=teacher()))
