"""What a recipe says: the parameters of one training run.  No Keras: they choose its backend."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.params import CLOSED
from facial_expression.network.backend import Backend

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=CLOSED)
class Optimizer:
    """How a step changes the weights.

    Attributes:
        name: Keras' name; what is not said here keeps Keras' defaults.
        learning_rate: at the peak of the schedule.
        momentum: of SGD and Muon, in Nesterov's form; the others ignore it.
        weight_decay: decoupled (Loshchilov and Hutter 2019), of kernels only.
        bias_rate: biases and offsets of normalisation learn so many times as fast (airbench);
            with Muon, of those that it leaves to Adam.
        adam_rate: everything that Muon leaves to Adam learns so many times as fast.
    """

    name: Literal["adam", "adamw", "muon", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    bias_rate: Annotated[float, Field(gt=0)]
    adam_rate: Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=CLOSED)
class Augmentation:
    """How training pictures are varied; 0 (or `none`) switches an ingredient off.

    Attributes:
        flip: mirror left to right: `random`, by a coin for each picture and epoch; `alternating`,
            each picture in every other epoch (Jordan 2024, arXiv:2404.00498).
        shift: move by up to so many pixels along each axis; by whole pixels where scale and
            rotation are 0.
        scale: enlarge by a factor in [1 - scale, 1 + scale]; above 1 the face gets larger.
        rotation: turn by up to so many degrees either way.
        erasing: probability that noise covers a rectangle (Zhong et al. 2020, arXiv:1708.04896).
        brightness: add up to so many of 255 grey levels, or take them away.
        contrast: multiply what deviates from the picture's mean by [1 - contrast, 1 + contrast].
        mixup: alpha of the Beta distribution of the weights (Zhang et al. 2018, arXiv:1710.09412).
    """

    flip: Literal["none", "random", "alternating"]
    shift: Annotated[float, Field(ge=0)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    erasing: Annotated[float, Field(ge=0, le=1)]
    brightness: Annotated[float, Field(ge=0)]
    contrast: Annotated[float, Field(ge=0, lt=1)]
    mixup: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=CLOSED)
class Progressive:
    """Progressive resizing: small pictures first, which cost less.

    Attributes:
        side: pixels of the small pictures; 0 trains on full size throughout.
        until: for so large a share of the epochs.
    """

    side: Annotated[int, Field(ge=0)]
    until: Share


@dataclass(frozen=True, config=CLOSED)
class Averaging:
    """An exponential moving average of the weights, which is what is validated and kept.

    Attributes:
        decay: of the average at each of its updates; 0 switches it off.
        start: share of the run after which it begins.
        every: steps between two updates.
    """

    decay: Annotated[float, Field(ge=0, lt=1)]
    start: Share
    every: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=CLOSED)
class Initial:
    """A trained network to start from; where its classes are others, its head starts anew.

    Attributes:
        weights: path of a `.keras` file with the same network; empty starts from scratch.
        sha256: of that file, so that another file there is noticed.
    """

    weights: str
    sha256: str


@dataclass(frozen=True, config=CLOSED)
class Teacher:
    """A trained network to learn from: distillation (Hinton et al. 2015, arXiv:1503.02531).

    Its probabilities are computed on the very pictures that the student sees, augmentation
    included (Beyer et al. 2022, arXiv:2106.05237).

    Attributes:
        weights: path of a `.keras` file with the same classes; empty trains without a teacher.
        sha256: of that file.
        share: of the targets that the teacher's probabilities make up; labels make up the rest.
    """

    weights: str
    sha256: str
    share: Share


@dataclass(frozen=True, config=CLOSED)
class Recipe:
    """Section `train` of conf/recipe/*.yaml.

    Attributes:
        model: a key of `models.BUILDERS`.
        backend: Keras backend.
        precision: Keras' dtype policy while training; the network that is kept is float32.
        threads: of one operation; part of a run's identity, since the last bits depend on it.
        seed: of the initial weights, the dropout, the order of pictures and their augmentation.
        epochs: at most so many passes over the training split.
        batch_size: pictures a step.
        optimizer, augmentation, progressive, averaging, initial, teacher: see there.
        schedule: a key of `schedules.SCHEDULES`.
        label_smoothing: share of the target spread evenly over all classes.
        class_weights: `balanced` weighs each class by n / (classes * pictures of the class).
        sampling: `balanced` draws every class equally often; `natural` takes each picture once.
        monitor: the validation value that `keep` and `patience` look at.
        keep: the weights of the `last` epoch, or of the `best` by `monitor`.
        patience: stop after so many epochs without a better value (early stopping); 0 never does.
    """

    model: str
    backend: Backend
    precision: Literal["float32", "mixed_bfloat16"]
    threads: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    optimizer: Optimizer
    schedule: Literal["constant", "triangular", "cosine"]
    augmentation: Augmentation
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    class_weights: Literal["none", "balanced"]
    sampling: Literal["natural", "balanced"]
    progressive: Progressive
    averaging: Averaging
    initial: Initial
    teacher: Teacher
    monitor: Literal["val_loss", "val_accuracy"]
    keep: Literal["last", "best"]
    patience: Annotated[int, Field(ge=0)]

    def side(self, epoch: int, full: int) -> int:
        """Pixels of the training pictures in an epoch (from 1), of those that are `full` wide."""
        small = self.progressive.side and epoch <= round(self.progressive.until * self.epochs)
        return min(self.progressive.side, full) if small else full
