"""One fit of one recipe, timed and scored in this process: `benchmarks.time_to_accuracy` starts it.

    python -m benchmarks.timed_fit ARRAYS conf/recipe/fast.yaml result.json --seed 1

The clock of the fit starts with the data in memory and stops with the model that is kept:
augmentation, validation and weight averaging count.  Building the network and the graph of a
step is part of it and is reported separately, as are the imports before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Split, read_split
from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import write_json
from facial_expression.core.labels import read_classes
from facial_expression.core.params import load
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe
from facial_expression.train.run import read_networks

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
Scores = dict[str, dict[str, float]]


class Stopwatch:
    """Notes when a fit started, when its first steps began and when each epoch ended."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.first_steps: list[float] = []  # of the first epoch
        self.ends: list[float] = []

    def batches(self, batches: Iterable[Any], epoch: int, steps: int) -> Iterator[Any]:
        """The batches of an epoch, unchanged: `fit` takes it as its progress bar."""
        for batch in batches:
            if epoch == 1:
                self.first_steps.append(time.perf_counter())
            yield batch

    def after_epoch(self, state: Any) -> None:
        """Note the end of an epoch."""
        self.ends.append(time.perf_counter())

    def building(self) -> float:
        """Seconds for the network and the graph of a step: the first step beyond a median one."""
        if len(self.first_steps) < 3:  # too few to tell
            return 0.0
        first = self.first_steps[1] - self.started
        return max(0.0, first - median(np.diff(self.first_steps)))

    def epochs(self) -> list[float]:
        """Seconds of each epoch, with validation, without building."""
        lengths = np.diff([self.started, *self.ends])
        lengths[0] -= self.building()
        return [float(value) for value in lengths]


@dataclass(frozen=True)
class Result:
    """Time and scores of one fit.

    Attributes:
        recipe: the parameters in effect.
        parameters: of the network, moving averages included.
        macs: multiply-accumulates of one picture.
        importing: seconds of reading the arrays and importing Keras and its backend.
        seconds: of the fit.
        cpu: CPU seconds in it, over all threads; other work on the machine changes them less.
        building: those of them for building the network and the graph of a step.
        epochs: seconds of each epoch that was fitted, without building.
        scores: accuracy and so on by split, plain and with `_flip`.
        val_hits: which pictures of val are right (plain), in order: bits as hexadecimal digits.
        versions: of Keras, backend and NumPy.
    """

    recipe: dict[str, Any]
    parameters: int
    macs: int
    importing: float
    seconds: float
    cpu: float
    building: float
    epochs: list[float]
    scores: Scores
    val_hits: str
    versions: dict[str, str]


def score(predict: Predict, splits: Mapping[str, Split]) -> Scores:
    """Scores of each split, and of all together, plain and averaged with the mirror images."""
    from facial_expression.metrics.scores import headline  # noqa: PLC0415  slow to import

    plain = {name: predict(split.images) for name, split in splits.items()}
    flip = {name: predict(split.images[:, :, ::-1]) for name, split in splits.items()}
    labels = {name: split.labels for name, split in splits.items()}
    if len(splits) > 1:
        for parts in (plain, flip, labels):
            parts["all"] = np.concatenate(list(parts.values()))
    scores: Scores = {}
    for name, actual in labels.items():
        scores[name] = headline(actual, plain[name])
        scores[f"{name}_flip"] = headline(actual, (plain[name] + flip[name]) / 2)
    return scores


def read_scored(arrays: Path, test: bool) -> dict[str, Split]:
    """The splits to score: val, and test with `test`."""
    return {name: read_split(arrays, name) for name in (("val", "test") if test else ("val",))}


def fit(recipe: Recipe, arrays: Path, test: bool) -> Result:
    """Fit a recipe on the arrays, then score val and, with `test`, test."""
    started = time.perf_counter()
    classes = read_classes(arrays / "classes.json")
    train, scored = read_split(arrays, "train"), read_scored(arrays, test)
    configure(recipe.backend, recipe.threads)
    from facial_expression.network.macs import macs  # noqa: PLC0415
    from facial_expression.train import fit  # noqa: PLC0415

    data = fit.Data(train, scored["val"], len(classes), *read_networks(recipe))
    computing, clock = time.process_time(), Stopwatch()
    model, _ = fit.fit(recipe, data, after_epoch=clock.after_epoch, progress=clock.batches)
    seconds, computed = time.perf_counter() - clock.started, time.process_time() - computing

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return fit.predicted(model, images).astype(np.float64)

    hits = predict(data.val.images).argmax(axis=1) == data.val.labels
    return Result(
        recipe=asdict(recipe),
        parameters=model.count_params(),
        macs=macs(model),
        importing=clock.started - started,
        seconds=seconds,
        cpu=computed,
        building=clock.building(),
        epochs=clock.epochs(),
        scores=score(predict, scored),
        val_hits=np.packbits(hits).tobytes().hex(),
        versions=versions(recipe.backend),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Fit one recipe and write its time and scores as JSON."""
    arguments = parser("benchmarks.timed_fit", __doc__)
    arguments.add_argument("arrays", type=Path, help="folder of stage preprocess")
    arguments.add_argument("recipe", type=Path, help="YAML with a section train:")
    arguments.add_argument("result", type=Path, help="JSON file to write")
    arguments.add_argument("--seed", type=int, help="instead of the recipe's")
    arguments.add_argument("--epochs", type=int, help="instead of the recipe's")
    arguments.add_argument("--test", action="store_true", help="score test as well")
    args = arguments.parse_args(argv)
    changes = {
        name: value for name in ("seed", "epochs") if (value := getattr(args, name)) is not None
    }
    recipe = replace(load(args.recipe, "train", Recipe), **changes)
    write_json(args.result, asdict(fit(recipe, args.arrays, args.test)))


if __name__ == "__main__":
    run(main)
