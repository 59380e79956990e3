"""The training loop, the same for every recipe and backend.  It knows no path."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
from scipy.special import log_softmax

from facial_expression.core.arrays import Split
from facial_expression.core.errors import ModelError, ParameterError, TrainingError
from facial_expression.network.backend import precision_here
from facial_expression.network.devices import ALONE, Devices
from facial_expression.network.keras_file import check_probabilities
from facial_expression.network.predict import logits_of, predicted
from facial_expression.network.recipe import Recipe
from facial_expression.train.batches import Batch, batch_order, epoch_batches
from facial_expression.train.checkpoints import State, Variables
from facial_expression.train.models import build
from facial_expression.train.optimizers import create, slow_down
from facial_expression.train.quicker import speed_up
from facial_expression.train.start import adopt, initialise

WARM_UP = 0.2  # share of the run in which the triangular schedule rises
AVERAGE_EVERY = 5  # steps between two updates of the averaged weights


@dataclass(frozen=True)
class Data:
    """What a network is fitted to, and the networks that it starts from and learns from."""

    train: Split
    val: Split
    classes: Sequence[str]  # names, in label order
    initial: keras.Model | None = None
    teacher: keras.Model | None = None


Progress = Callable[[Iterator[Batch], int, int], Iterable[Batch]]
"""Takes batches, epoch (from 1) and their number, returns the same batches: a progress bar."""
Report = Callable[[State], None]
"""Called after each epoch with the state so far: to print, write the history, keep a checkpoint."""


def fit(
    recipe: Recipe,
    data: Data,
    state: State | None = None,
    after_epoch: Report = lambda state: None,
    progress: Progress = lambda batches, epoch, steps: batches,
    devices: Devices = ALONE,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Fit a network, from scratch or from the state of an interrupted run, with the same bits.

    Gives the fitted model in float32 and one history row an epoch: epoch, learning_rate (of the
    last step), loss and accuracy (means over its batches while training), val_loss (nats) and
    val_accuracy (both of the averaged weights, once averaging has begun).  `devices` share each
    batch; all processes must call this, with equal arguments.  A TrainingError if the loss or
    a weight is not finite, a ModelError if the network does not fit pictures or initial network, a
    ParameterError if the devices cannot share a batch.
    """
    size = min(recipe.batch_size, len(data.train))
    if size % devices.number:
        what = f"a multiple of the {devices.number} devices"
        raise ParameterError.expected("train.batch_size", what, size, "choose another one")
    keras.utils.set_random_seed(recipe.seed)  # first: weight initialisation draws from it
    with devices.scope():
        state = _fitted(recipe, data, state or State(), after_epoch, progress, devices)
    kept = build(recipe.model, data.train.images.shape[1], len(data.classes))
    _restore(kept.variables, state.kept)
    return kept, state.history


def _fitted(
    recipe: Recipe,
    data: Data,
    state: State,
    after_epoch: Report,
    progress: Progress,
    devices: Devices,
) -> State:
    """The state after the last epoch; a block in which the devices share every network."""
    model = _start(recipe, data, devices)
    variables = [*model.variables, *model.optimizer.variables]
    if state.variables:
        _restore(variables, state.variables, devices)
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        row = _train_epoch(model, recipe, data, progress, epoch, state, devices)
        state.variables = _values(variables)
        # a finite loss does not show it: some operations make 0 of what is no number
        if not all(np.isfinite(values).all() for values in state.variables):
            raise _diverged(recipe, f"{row['loss']:g}, and weights are not finite,", epoch)
        if state.average:  # until the end of the epoch
            _restore(model.variables, state.average, devices)
        logits = predicted(model, data.val.images, devices=devices).astype(np.float64)
        hits = logits.argmax(axis=1) == data.val.labels
        losses = -log_softmax(logits, axis=1)[np.arange(len(hits)), data.val.labels]
        loss, accuracy = float(losses.mean()), float(hits.mean())
        if not math.isfinite(loss):
            raise TrainingError(
                f"the validation loss is {loss} after epoch {epoch}: the network does not "
                "predict; try train.precision=float32 or a lower train.optimizer.learning_rate"
            )
        state.history.append(row | {"val_loss": loss, "val_accuracy": accuracy})
        if recipe.keep == "last" or best_epoch(recipe.monitor, state.history) == epoch:
            state.kept = _values(model.variables)
        if state.average:
            _restore(variables, state.variables, devices)
        after_epoch(state)
    return state


def _start(recipe: Recipe, data: Data, devices: Devices) -> keras.Model:
    """The network without its softmax, ready for its first step."""
    side, precision = data.train.images.shape[1], precision_here(recipe.precision)
    model = build(recipe.model, side, len(data.classes), precision)
    initialise(model, data.train.images, devices)
    speed_up(model)
    if data.initial:
        same_classes = [*recipe.initial.classes] == [*data.classes]
        adopt(model, data.initial, recipe.initial.weights, same_classes)
    if data.teacher:
        _check_teacher(data.teacher, recipe, data, model)
    trained = logits_of(model)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    optimizer = create(recipe.optimizer)
    if recipe.initial.layer_rate < 1:
        slow_down(optimizer, model, recipe.initial.layer_rate)
    trained.compile(optimizer, loss, metrics=["accuracy"])
    trained.optimizer.build(trained.trainable_variables)
    if devices.number > 1:
        trained.reset_metrics = partial(_reset_metrics, trained, devices)
    return trained


def _check_teacher(teacher: keras.Model, recipe: Recipe, data: Data, model: keras.Model) -> None:
    given = recipe.teacher
    if [*given.classes] != [*data.classes]:
        raise ModelError.expected(
            "train.teacher.classes",
            f"those of the data set, {', '.join(data.classes)}",
            ", ".join(given.classes) or "none",
            "name those of the teacher's outputs, in order, or choose another teacher",
        )
    ours, theirs = ((each.input_shape, each.output_shape) for each in (model, teacher))
    if ours != theirs:
        what = "a network from {} to {}"
        remedy = "choose another teacher, or the side of its pictures in preprocess.side"
        raise ModelError.expected(given.weights, what.format(*ours), what.format(*theirs), remedy)
    images = data.train.images[np.arange(min(recipe.batch_size, len(data.train)))]
    check_probabilities(Path(given.weights), predicted(teacher, images).astype(np.float64))


def _reset_metrics(model: keras.Model, devices: Devices) -> None:
    """As Keras' own, which compares the zeros of all processes."""
    zeros = [np.zeros(variable.shape, variable.dtype) for variable in model.metrics_variables]
    _restore(model.metrics_variables, zeros, devices)


def _train_epoch(
    model: keras.Model,
    recipe: Recipe,
    data: Data,
    progress: Progress,
    epoch: int,
    state: State,
    devices: Devices,
) -> dict[str, float]:
    """One pass over the training split; updates `state.average`; the epoch's part of its row."""
    order = batch_order(recipe, len(data.train), epoch)
    teacher = data.teacher and partial(predicted, data.teacher)
    batches = epoch_batches(recipe, data.train, len(data.classes), epoch, order, teacher, devices)
    steps, averaging = len(order), recipe.averaging
    sums = {"loss": 0.0, "accuracy": 0.0}
    for step, batch in enumerate(progress(batches, epoch, steps)):
        done = ((epoch - 1) * steps + step + 0.5) / (recipe.epochs * steps)
        rate = recipe.optimizer.learning_rate
        rate *= triangular(done) if recipe.schedule == "triangular" else 1
        model.optimizer.learning_rate.assign(devices.everywhere(np.array(rate, np.float32)))
        scores = model.train_on_batch(batch.images, batch.targets, return_dict=True)
        if not math.isfinite(scores["loss"]):
            raise _diverged(recipe, scores["loss"], epoch)
        for name in sums:  # Keras returns the mean of this batch; all batches have the same size
            sums[name] += float(scores[name]) / steps
        due = (step + 1) % AVERAGE_EVERY == 0 or step + 1 == steps
        if averaging.decay and due and done >= averaging.start:
            state.average = averaged(state.average, _values(model.variables), averaging.decay)
    return {"epoch": epoch, "learning_rate": rate} | sums


def _diverged(recipe: Recipe, loss: object, epoch: int) -> TrainingError:
    rate = recipe.optimizer.learning_rate
    return TrainingError(
        f"the loss is {loss} in epoch {epoch}: training diverged; lower "
        f"train.optimizer.learning_rate (now {rate:g}), to {rate / 10:g} for example"
    )


def triangular(done: float) -> float:
    """The factor on the learning rate when a share `done` of the run, in [0, 1], is behind.

    It rises linearly from 0 to 1 in the first fifth of the run, then falls linearly to 0 (Smith and
    Topin 2019, "Super-Convergence", in the shape of cifar10-fast).

    >>> [triangular(done) for done in (0.0, 0.1, 0.2, 0.6, 1.0)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return min(done / WARM_UP, (1.0 - done) / (1.0 - WARM_UP))


def averaged(average: Variables, values: Variables, decay: float) -> Variables:
    """One update of an exponential moving average over all variables of a network.

    It is decay * average + (1 - decay) * values in the dtypes of `values`, before the first update
    `values` (Polyak and Juditsky 1992; with a late start as in Izmailov et al. 2018, "Averaging
    Weights Leads to Wider Optima").  Integers, the state of a random generator, are copied.
    """
    if not average:
        return values
    return [
        before + (value - before) * value.dtype.type(1 - decay)
        if np.issubdtype(value.dtype, np.floating)
        else value
        for before, value in zip(average, values, strict=True)
    ]


def best_epoch(monitor: str, history: Sequence[dict[str, float]]) -> int:
    """The first epoch (from 1) with the highest val_accuracy, or the lowest val_loss."""
    values = [row[monitor] for row in history]
    return 1 + int(np.argmax(values) if monitor == "val_accuracy" else np.argmin(values))


def _values(variables: list[keras.Variable]) -> Variables:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _restore(variables: list[keras.Variable], values: Variables, devices: Devices = ALONE) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(devices.everywhere(value))
