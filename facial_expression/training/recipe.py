"""What a recipe says: the parameters of one training run.  No Keras: they choose its backend."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.parameters import CLOSED
from facial_expression.training.backend import Backend


@dataclass(frozen=True, config=CLOSED)
class Recipe:
    """Section `train` of conf/recipe/*.yaml.

    Attributes:
        model: a key of `models.BUILDERS`.
        backend: Keras backend.
        threads: of one operation; part of a run's identity, since the last bits depend on it.
        seed: of the initial weights, the dropout and the order of pictures.
        epochs: at most so many passes over the training split.
        batch_size: pictures a step.
        optimizer: Keras' name; everything but the learning rate keeps Keras' defaults.
        learning_rate: at the peak of the schedule.
        schedule: a key of `schedules.SCHEDULES`.
        flip: mirror training pictures at random.
        shift: move training pictures by up to so many pixels at random.
        class_weights: `balanced` weighs each class by n / (classes * pictures of the class).
        monitor: the validation value that `keep` and `patience` look at.
        keep: the weights of the `last` epoch, or of the `best` by `monitor`.
        patience: stop after so many epochs without a better value (early stopping); 0 never does.
    """

    model: str
    backend: Backend
    threads: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    optimizer: Literal["adam", "adamw", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["constant", "triangular"]
    flip: bool
    shift: Annotated[int, Field(ge=0)]
    class_weights: Literal["none", "balanced"]
    monitor: Literal["val_loss", "val_accuracy"]
    keep: Literal["last", "best"]
    patience: Annotated[int, Field(ge=0)]
