"""The parameters of one training run.  Keras is not imported here: they choose its backend."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from facial_expression.core.params import CLOSED, Seed
from facial_expression.network.backend import Backend
from facial_expression.network.devices import Distribution

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, le=1)]
AtLeast0 = Annotated[float, Field(ge=0)]
Below1 = Annotated[float, Field(ge=0, lt=1)]
UpTo100 = Annotated[float, Field(ge=0, le=100)]
UpTo255 = Annotated[float, Field(ge=0, le=255)]
UpTo512 = Annotated[float, Field(ge=0, le=512)]  # no picture is larger
Count = Annotated[int, Field(ge=1, lt=1 << 31)]
Threads = Annotated[int, Field(ge=1, le=1024)]


@dataclass(frozen=True, config=CLOSED)
class Optimizer:
    """How a step changes the weights."""

    name: Literal["adam", "adamw", "muon"]  # Keras'; for Muon see `train.optimizers`
    learning_rate: Positive  # at the peak of the schedule
    weight_decay: AtLeast0  # decoupled (Loshchilov and Hutter 2019), of kernels only
    adam_rate: Positive  # factor on the learning rate of every weight that Muon leaves to Adam


@dataclass(frozen=True, config=CLOSED)
class Augmentation:
    """How training pictures are varied; 0 (or `none`) switches an ingredient off.

    Flips mirror left to right: `random` draws for each picture and epoch; `alternating` mirrors
    each picture in every other epoch (Jordan 2024, arXiv:2404.00498).
    """

    flip: Literal["none", "random", "alternating"]
    shift: UpTo512  # largest, in pixels along each axis; whole ones if scale and rotation are 0
    scale: Below1  # enlarge by a factor in [1 - scale, 1 + scale]; above 1 the face gets larger
    rotation: Annotated[float, Field(ge=0, le=180)]  # largest, in degrees, either way
    erasing: Share  # probability that noise covers a rectangle (Zhong et al. 2020, 1708.04896)
    brightness: UpTo255  # largest number of grey levels, of 255, that is added or subtracted
    contrast: Below1  # multiply deviations from a picture's mean by [1 - contrast, 1 + contrast]
    mixup: UpTo100  # alpha of the Beta distribution of the weights (Zhang et al. 2018, 1710.09412)


@dataclass(frozen=True, config=CLOSED)
class Averaging:
    """Exponential moving average of the weights; if it is on, the average is scored and kept."""

    decay: Below1  # weight of the average so far at each update; 0 switches averaging off
    start: Share  # of the run, after which averaging begins


@dataclass(frozen=True, config=CLOSED)
class Initial:
    """A trained network to start from; for other classes the last layer starts anew."""

    weights: str  # a `.keras` file with the same network; empty to start from scratch
    sha256: str  # of that file, so that a changed one is noticed
    classes: tuple[str, ...]  # of its outputs, in order
    layer_rate: Rate  # factor on the learning rate from each layer to the one before; 1: none
    origin: str  # for the card: what it was trained on before, and under which licence


@dataclass(frozen=True, config=CLOSED)
class Teacher:
    """A trained network to learn from: distillation (Hinton et al. 2015, arXiv:1503.02531).

    It predicts the same augmented pictures that the student is trained on (Beyer et al. 2022,
    arXiv:2106.05237).
    """

    weights: str  # a `.keras` file; empty for no teacher
    sha256: str
    classes: tuple[str, ...]  # of its outputs, in order: those of the data set
    share: Share  # weight of the teacher's probabilities in the targets; the rest is the label

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.weights) != (self.share > 0):
            raise ValueError("weights and a share above 0 need each other; give both or neither")
        return self


@dataclass(frozen=True, config=CLOSED)
class Recipe:
    """Section `train` of conf/recipe/*.yaml."""

    model: str  # a key of `train.models.BUILDERS`
    backend: Backend  # of Keras
    precision: Literal["float32", "mixed_bfloat16"]  # in training alone; see `precision_here`
    threads: Threads  # of one operation; part of a run's identity: the last bits depend on it
    distribution: Distribution  # data_parallel: all devices share each batch, see `network.devices`
    seed: Seed  # of weights, dropout, order of the pictures, augmentation
    epochs: Count  # passes over the training split
    batch_size: Count  # pictures a step
    optimizer: Optimizer
    schedule: Literal["constant", "triangular"]  # of the learning rate, see `train.fit.triangular`
    augmentation: Augmentation
    label_smoothing: Below1  # share of each target that is spread evenly over all classes
    averaging: Averaging
    initial: Initial
    teacher: Teacher
    monitor: Literal["val_loss", "val_accuracy"]  # the value by which `keep: best` chooses
    keep: Literal["last", "best"]  # the weights of which epoch
