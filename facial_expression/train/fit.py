"""The training loop: one for every recipe and every Keras backend.  No file is read or written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from facial_expression.core.arrays import Split
from facial_expression.core.errors import TrainingError
from facial_expression.network.predict import log_loss_and_accuracy, predicted
from facial_expression.network.recipe import Optimizer, Recipe
from facial_expression.train.averaging import averaged
from facial_expression.train.batches import (
    Batch,
    Predict,
    batch_order,
    epoch_batches,
    resized,
)
from facial_expression.train.checkpoints import State, Variables
from facial_expression.train.models import build, logits_of
from facial_expression.train.optimizers import create
from facial_expression.train.schedules import SCHEDULES
from facial_expression.train.start import adopt, initialise

LARGER_IS_BETTER = {"val_accuracy": True, "val_loss": False}


@dataclass(frozen=True)
class Data:
    """What the loop is given: both splits, the number of classes, and other networks, if any.

    Attributes:
        train, val: uint8 pictures (N, side, side) and int64 labels (N,).
        classes: number of classes.
        initial: the network to start from, and what to call it.
        teacher: the network to learn from.
    """

    train: Split
    val: Split
    classes: int
    initial: tuple[keras.Model, str] | None = None
    teacher: keras.Model | None = None


Progress = Callable[[Iterator[Batch], int, int], Iterable[Batch]]
"""Wraps the batches of an epoch (from 1), of which there are so many: to draw a progress bar."""
Report = Callable[[State], None]
"""Called after each epoch with the state so far: to print, write the history, keep a checkpoint."""


def fit(
    recipe: Recipe,
    data: Data,
    state: State | None = None,
    after_epoch: Report = lambda state: None,
    progress: Progress = lambda batches, epoch, steps: batches,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Fit a network, from scratch or from the state of an interrupted run.

    A resumed run gives the same bits as an unbroken one: all variables (seed generators included)
    are restored, and seed, epoch and step determine each batch.

    Args:
        recipe: how to fit.
        data: what to fit and to validate on.
        state: where to go on; None starts from scratch.
        after_epoch: called with the state after each epoch.
        progress: wraps the batches of each epoch.

    Returns:
        The fitted model in float32 and one history row an epoch: epoch, learning_rate, loss,
        accuracy (running means while training, on varied pictures, dropout on; the rate is the
        last step's), val_loss (nats), val_accuracy (of the averaged weights, once there are some).

    Raises:
        TrainingError: the loss is not finite, in training or on validation.
        ModelError: the network fits neither the pictures nor the one that it shall start from.
    """
    keras.utils.set_random_seed(recipe.seed)  # first: weight initialisation draws from it
    side = data.train.images.shape[1]
    model = _start(recipe, data, side)
    state = state or State()
    if state.variables:
        _restore(_all_variables(model), state.variables)
    train = data.train
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        if _should_stop(recipe, state.history):
            break
        if train.images.shape[1] != recipe.side(epoch, side):
            train = resized(data.train, recipe.side(epoch, side))
        order = batch_order(recipe, train.labels, epoch)
        batches = epoch_batches(recipe, train, data.classes, epoch, order, _predict(data.teacher))
        shown = progress(batches, epoch, len(order))
        row = {"epoch": epoch} | _train_epoch(model, recipe, shown, epoch, len(order), state)
        state.variables = _values(_all_variables(model))
        with _averaged_weights(model, state.average):
            loss, accuracy = log_loss_and_accuracy(
                predicted(model, data.val.images), data.val.labels
            )
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the validation loss is {loss} after epoch {epoch}: the network does not "
                    "predict; try train.precision=float32 or a lower train.optimizer.learning_rate"
                )
            state.history.append(row | {"val_loss": loss, "val_accuracy": accuracy})
            if recipe.keep == "last" or best_epoch(recipe, state.history) == epoch:
                state.kept = _values(model.variables)
        after_epoch(state)
    kept = build(recipe.model, side, data.classes)
    _restore(kept.variables, state.kept)
    return kept, state.history


def _start(recipe: Recipe, data: Data, side: int) -> keras.Model:
    """The network without its softmax, ready for its first step."""
    any_side = recipe.side(1, side) != side  # small pictures come first
    model = build(recipe.model, None if any_side else side, data.classes, recipe.precision)
    initialise(model, data.train.images)
    if data.initial:
        adopt(model, *data.initial)
    trained = compiled(model, recipe.optimizer)
    trained.optimizer.build(trained.trainable_variables)
    return trained


def compiled(model: keras.Model, optimizer: Optimizer) -> keras.Model:
    """The network without its softmax, ready for `train_on_batch`."""
    trained = logits_of(model)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    trained.compile(create(optimizer), loss, metrics=["accuracy"])
    return trained


def learning_rate(recipe: Recipe, steps: int, epoch: int, step: int) -> float:
    """The rate of one step (from 0) of an epoch (from 1) of so many, in the middle of that step."""
    return recipe.optimizer.learning_rate * SCHEDULES[recipe.schedule](
        _progress(recipe, steps, epoch, step)
    )


def best_epoch(recipe: Recipe, history: Sequence[dict[str, float]]) -> int:
    """The first epoch (from 1) with the best monitored value."""
    values = np.array([row[recipe.monitor] for row in history])
    return 1 + int(np.argmax(values if LARGER_IS_BETTER[recipe.monitor] else -values))


def _progress(recipe: Recipe, steps: int, epoch: int, step: int) -> float:
    return ((epoch - 1) * steps + step + 0.5) / (recipe.epochs * steps)


def _should_stop(recipe: Recipe, history: list[dict[str, float]]) -> bool:
    if not recipe.patience or not history:
        return False
    return len(history) - best_epoch(recipe, history) >= recipe.patience


def _train_epoch(
    model: keras.Model,
    recipe: Recipe,
    batches: Iterable[Batch],
    epoch: int,
    steps: int,
    state: State,
) -> dict[str, float]:
    """One pass over the batches; updates the average in `state`; means over the pictures."""
    sums = {"loss": 0.0, "accuracy": 0.0}
    averaging = recipe.averaging
    for step, batch in enumerate(batches):
        rate = learning_rate(recipe, steps, epoch, step)
        model.optimizer.learning_rate.assign(rate)
        scores = model.train_on_batch(
            batch.images, batch.targets, sample_weight=batch.weights, return_dict=True
        )
        if not math.isfinite(scores["loss"]):
            raise TrainingError(
                f"the loss is {scores['loss']} in epoch {epoch}: training diverged; lower "
                f"train.optimizer.learning_rate (now {recipe.optimizer.learning_rate:g}), to "
                f"{recipe.optimizer.learning_rate / 10:g} for example"
            )
        for name in sums:  # Keras gives the mean of this batch, and all batches are as large
            sums[name] += float(scores[name]) / steps
        due = (step + 1) % averaging.every == 0 or step + 1 == steps
        if averaging.decay and due and _progress(recipe, steps, epoch, step) >= averaging.start:
            state.average = averaged(state.average, _values(model.variables), averaging.decay)
    return {"learning_rate": rate} | sums


def _predict(teacher: keras.Model | None) -> Predict | None:
    return None if teacher is None else lambda images: predicted(teacher, images)


@contextmanager
def _averaged_weights(model: keras.Model, average: Variables) -> Iterator[None]:
    """Lend the model the averaged weights, if there are some."""
    own = _values(model.variables)
    if average:
        _restore(model.variables, average)
    yield
    if average:
        _restore(model.variables, own)


def _all_variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _values(variables: list[keras.Variable]) -> Variables:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _restore(variables: list[keras.Variable], values: Variables) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
