"""One fit of one recipe, timed and scored; benchmarks call it in a process of its own.

The clock starts with the arrays open and stops with the model that is kept: reading pictures,
augmentation, validation and weight averaging count.  Building the network and the graph of a step
is part of it and is reported separately.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Rows, Split, read_split
from facial_expression.core.labels import read_classes
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe
from facial_expression.train.run import read_networks

Predict = Callable[[Rows], NDArray[np.float64]]
Scores = dict[str, dict[str, float]]
Result = dict[str, Any]
"""What `fit` returns."""


class Stopwatch:
    """Notes when a fit started, when its first steps began and when each epoch ended."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.first_steps: list[float] = []  # of the first epoch
        self.ends: list[float] = []

    def batches(self, batches: Iterable[Any], epoch: int, steps: int) -> Iterator[Any]:
        """The batches of an epoch, unchanged; `fit.fit` takes this as its progress bar."""
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


def score(predict: Predict, splits: Mapping[str, Split]) -> Scores:
    """Scores of each split, and of all together, plain and averaged with the mirror images."""
    from facial_expression.metrics.scores import headline  # noqa: PLC0415  slow to import

    images = {name: np.asarray(split.images) for name, split in splits.items()}
    plain = {name: predict(each) for name, each in images.items()}
    flip = {name: predict(each[:, :, ::-1]) for name, each in images.items()}
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
    """Fit a recipe on the arrays in this process, then score val and, with `test`, test.

    Returns:
        recipe: the parameters in effect.
        parameters: of the network, moving averages included.
        macs: multiply-accumulates of one picture.
        seconds: of the fit.
        cpu: CPU seconds in it, over all threads; other work on the machine changes them less.
        building: seconds of the fit for building the network and the graph of a step.
        epochs: seconds of each epoch, without building.
        scores: accuracy and so on by split, plain and with `_flip`.
        val_hits: which pictures of val are right (plain), in order: bits as hexadecimal digits.
        versions: of Keras, backend and NumPy.
    """
    classes = read_classes(arrays / "classes.json")
    train, scored = read_split(arrays, "train"), read_scored(arrays, test)
    configure(recipe.backend, recipe.threads)
    from facial_expression.network.macs import macs  # noqa: PLC0415
    from facial_expression.train import fit  # noqa: PLC0415

    data = fit.Data(train, scored["val"], classes, *read_networks(recipe))
    computing, clock = time.process_time(), Stopwatch()
    model, _ = fit.fit(recipe, data, after_epoch=clock.after_epoch, progress=clock.batches)
    seconds, computed = time.perf_counter() - clock.started, time.process_time() - computing

    def predict(images: Rows) -> NDArray[np.float64]:
        return fit.predicted(model, images).astype(np.float64)

    hits = predict(data.val.images).argmax(axis=1) == data.val.labels
    return {
        "recipe": asdict(recipe),
        "parameters": model.count_params(),
        "macs": macs(model),
        "seconds": seconds,
        "cpu": computed,
        "building": clock.building(),
        "epochs": clock.epochs(),
        "scores": score(predict, scored),
        "val_hits": np.packbits(hits).tobytes().hex(),
        "versions": versions(recipe.backend),
    }
