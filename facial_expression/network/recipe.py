"""The parameters of one training run.  Keras is not imported here: they choose its backend."""

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
        name: of Keras' optimizer; Muon also trains convolutions, see `train.optimizers`.
        learning_rate: at the peak of the schedule.
        weight_decay: decoupled (Loshchilov and Hutter 2019), of kernels only.
        adam_rate: factor on the learning rate of every weight that Muon leaves to Adam.
    """

    name: Literal["adam", "adamw", "muon"]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    adam_rate: Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=CLOSED)
class Augmentation:
    """How training pictures are varied; 0 (or `none`) switches an ingredient off.

    Attributes:
        flip: mirror left to right: `random` draws for each picture and epoch; `alternating`
            mirrors each picture in every other epoch (Jordan 2024, arXiv:2404.00498).
        shift: largest shift in pixels along each axis; in whole pixels if scale and rotation are 0.
        scale: enlarge by a factor in [1 - scale, 1 + scale]; above 1 the face gets larger.
        rotation: largest rotation in degrees, either way.
        erasing: probability that noise covers a rectangle (Zhong et al. 2020, arXiv:1708.04896).
        brightness: largest number of grey levels, of 255, that is added or subtracted.
        contrast: multiply deviations from the picture's mean by [1 - contrast, 1 + contrast].
        mixup: alpha of the Beta distribution of the weights (Zhang et al. 2018, arXiv:1710.09412).
    """

    flip: Literal["none", "random", "alternating"]
    shift: Annotated[float, Field(ge=0)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    erasing: Share
    brightness: Annotated[float, Field(ge=0)]
    contrast: Annotated[float, Field(ge=0, lt=1)]
    mixup: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=CLOSED)
class Averaging:
    """Exponential moving average of the weights; if it is on, the average is scored and kept.

    `decay` is the weight of the average so far at each update, and 0 switches averaging off;
    `start` is the share of the run after which averaging begins.
    """

    decay: Annotated[float, Field(ge=0, lt=1)]
    start: Share


@dataclass(frozen=True, config=CLOSED)
class Initial:
    """A trained network to start from; if the number of classes differs, the head starts anew.

    `weights` is the path of a `.keras` file with the same network, empty to start from scratch;
    its `sha256` makes a changed file noticed.
    """

    weights: str
    sha256: str


@dataclass(frozen=True, config=CLOSED)
class Teacher:
    """A trained network to learn from: distillation (Hinton et al. 2015, arXiv:1503.02531).

    It predicts the same augmented pictures that the student is trained on (Beyer et al. 2022,
    arXiv:2106.05237).

    `weights` is the path of a `.keras` file with the same classes, empty for no teacher, with its
    `sha256`; `share` weights the teacher's probabilities in the targets, the rest is the label.
    """

    weights: str
    sha256: str
    share: Share


@dataclass(frozen=True, config=CLOSED)
class Recipe:
    """Section `train` of conf/recipe/*.yaml.

    Attributes:
        model: a key of `train.models.BUILDERS`.
        backend: of Keras.
        precision: Keras' dtype policy during training; the saved network is float32.
        threads: of one operation; part of a run's identity, since the last bits depend on it.
        seed: of initial weights, dropout, order of the pictures and augmentation.
        epochs: passes over the training split.
        batch_size: pictures a step.
        optimizer, augmentation, averaging, initial, teacher: see there.
        schedule: of the learning rate: `constant`, or `triangular` (see `train.fit.triangular`).
        label_smoothing: share of each target that is spread evenly over all classes.
        monitor: the validation value by which `keep: best` chooses.
        keep: the weights of the `last` epoch, or of the `best` by `monitor`.
    """

    model: str
    backend: Backend
    precision: Literal["float32", "mixed_bfloat16"]
    threads: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    optimizer: Optimizer
    schedule: Literal["constant", "triangular"]
    augmentation: Augmentation
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    averaging: Averaging
    initial: Initial
    teacher: Teacher
    monitor: Literal["val_loss", "val_accuracy"]
    keep: Literal["last", "best"]
