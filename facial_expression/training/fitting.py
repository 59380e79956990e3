"""The training loop: one for every recipe and every Keras backend.  No file is read or written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from facial_expression.dataset.arrays import Split
from facial_expression.errors import TrainingError
from facial_expression.training.augmentation import augment
from facial_expression.training.checkpoints import State, Variables
from facial_expression.training.models import build
from facial_expression.training.recipe import Recipe
from facial_expression.training.schedules import SCHEDULES

LARGER_IS_BETTER = {"val_accuracy": True, "val_loss": False}


@dataclass(frozen=True)
class Data:
    """What the loop is given: both splits and the number of classes."""

    train: Split
    val: Split
    classes: int


Positions = NDArray[np.int64]
Progress = Callable[[list[Positions], int], Iterable[Positions]]
Report = Callable[[State], None]
"""Called after each epoch with the state so far: to print, write the history, keep a checkpoint."""


def fit(
    recipe: Recipe,
    data: Data,
    state: State | None = None,
    after_epoch: Report = lambda state: None,
    progress: Progress = lambda batches, epoch: batches,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Fit a network, from scratch or from the state of an interrupted run.

    A resumed run gives the same bits as an unbroken one: all variables (seed generators included)
    are restored, and the order of batches comes from `default_rng([seed, epoch])`.

    Args:
        recipe: how to fit.
        data: uint8 pictures (N, side, side) and int64 labels (N,), train and val.
        state: where to go on; None starts from scratch.
        after_epoch: called with the state after each epoch.
        progress: wraps the batches of an epoch, to draw a progress bar.

    Returns:
        The fitted model and one history row an epoch: epoch, learning_rate, loss, accuracy (running
        means while training, dropout on; the rate is the last step's), val_loss, val_accuracy.

    Raises:
        TrainingError: the loss is not finite.
    """
    keras.utils.set_random_seed(recipe.seed)  # first: weight initialisation draws from it
    model = build(recipe.model, data.train.images.shape[1], data.classes)
    model.compile(_optimizer(recipe), keras.losses.CategoricalCrossentropy(), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    state = state or State()
    if state.variables:
        _restore(_all_variables(model), state.variables)
    weights = class_weights(recipe, data)
    targets = keras.utils.to_categorical(data.val.labels, data.classes)
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        if _should_stop(recipe, state.history):
            break
        batches = progress(batch_order(recipe, len(data.train), epoch), epoch)
        row = {"epoch": epoch} | _train_epoch(model, recipe, data, weights, batches, epoch)
        loss, accuracy = model.evaluate(
            data.val.images[..., None], targets, batch_size=256, verbose=0
        )
        row |= {"val_loss": float(loss), "val_accuracy": float(accuracy)}
        state.history.append(row)
        state.variables = _values(_all_variables(model))
        if recipe.keep == "best" and best_epoch(recipe, state.history) == epoch:
            state.best = _values(model.variables)
        after_epoch(state)
    if recipe.keep == "best" and state.best:
        _restore(model.variables, state.best)
    return model, state.history


def batch_order(recipe: Recipe, pictures: int, epoch: int) -> list[Positions]:
    """Positions of each batch of an epoch: a fresh permutation that seed and epoch determine."""
    order = np.random.default_rng([recipe.seed, epoch]).permutation(pictures)
    return np.split(order, range(recipe.batch_size, pictures, recipe.batch_size))


def learning_rate(recipe: Recipe, pictures: int, epoch: int, step: int) -> float:
    """The rate of one step (from 0) of an epoch (from 1), in the middle of that step."""
    steps = math.ceil(pictures / recipe.batch_size)
    progress = ((epoch - 1) * steps + step + 0.5) / (recipe.epochs * steps)
    return recipe.learning_rate * SCHEDULES[recipe.schedule](progress)


def class_weights(recipe: Recipe, data: Data) -> NDArray[np.float32] | None:
    """Loss weight of each class, float32 (classes,), or None for equal weights.

    Balanced as in scikit-learn's `compute_class_weight`.
    """
    if recipe.class_weights == "none":
        return None
    counts = np.bincount(data.train.labels, minlength=data.classes)
    present = np.count_nonzero(counts)
    return (len(data.train) / (present * np.maximum(counts, 1))).astype(np.float32)


def best_epoch(recipe: Recipe, history: list[dict[str, float]]) -> int:
    """The first epoch (from 1) with the best monitored value."""
    values = np.array([row[recipe.monitor] for row in history])
    return 1 + int(np.argmax(values if LARGER_IS_BETTER[recipe.monitor] else -values))


def _should_stop(recipe: Recipe, history: list[dict[str, float]]) -> bool:
    if not recipe.patience or not history:
        return False
    return len(history) - best_epoch(recipe, history) >= recipe.patience


def _train_epoch(
    model: keras.Model,
    recipe: Recipe,
    data: Data,
    weights: NDArray[np.float32] | None,
    batches: Iterable[Positions],
    epoch: int,
) -> dict[str, float]:
    identity = np.eye(data.classes, dtype=np.float32)
    rng = np.random.default_rng([recipe.seed, epoch, 1])  # not the one that orders the pictures
    sums = {"loss": 0.0, "accuracy": 0.0}
    for step, positions in enumerate(batches):
        rate = learning_rate(recipe, len(data.train), epoch, step)
        model.optimizer.learning_rate.assign(rate)
        labels = data.train.labels[positions]
        images = augment(data.train.images[positions], rng, flip=recipe.flip, shift=recipe.shift)
        scores = model.train_on_batch(
            images[..., None],  # (B, side, side) -> (B, side, side, 1)
            identity[labels],
            sample_weight=None if weights is None else weights[labels],
            return_dict=True,
        )
        if not math.isfinite(scores["loss"]):
            raise TrainingError(
                f"the loss is {scores['loss']} in epoch {epoch}: training diverged; lower "
                f"train.learning_rate (now {recipe.learning_rate:g}), to "
                f"{recipe.learning_rate / 10:g} for example"
            )
        for name in sums:  # Keras gives the mean of this batch
            sums[name] += float(scores[name]) * len(positions)
    means = {name: total / len(data.train) for name, total in sums.items()}
    return {"learning_rate": rate} | means


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    known = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
    }
    return known[recipe.optimizer](learning_rate=recipe.learning_rate)


def _all_variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _values(variables: list[keras.Variable]) -> Variables:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _restore(variables: list[keras.Variable], values: Variables) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
