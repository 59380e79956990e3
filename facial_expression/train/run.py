"""One training run: arrays -> history.csv and model.keras, resumable after each epoch."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from facial_expression.core.arrays import read_split
from facial_expression.core.labels import read_classes
from facial_expression.core.params import pinned
from facial_expression.core.tables import write_table
from facial_expression.network.backend import configure, precision_here, versions
from facial_expression.network.devices import Devices, connected
from facial_expression.network.recipe import Initial, Recipe, Teacher
from facial_expression.train import checkpoints

if TYPE_CHECKING:
    import keras

    from facial_expression.train import fit
    from facial_expression.train.batches import Batch


class Pace:
    """Measures epochs, of one fit or of several, and tells how long the rest will take."""

    def __init__(self, epochs: int) -> None:
        self.left, self.ends = epochs, [time.perf_counter()]

    def after_epoch(self) -> str:
        """Median seconds an epoch and minutes left, to print after an epoch."""
        self.left -= 1
        self.ends.append(time.perf_counter())
        pace = median(after - before for before, after in pairwise(self.ends))
        return f"{pace:.1f} s an epoch, {pace * self.left / 60:.1f} min left"


def shown(batches: Iterable[Batch], title: str, steps: int) -> Iterable[Batch]:
    """One epoch's batches behind a progress bar."""
    return tqdm(batches, title, steps, unit=" batches", leave=False, disable=None)


def train(recipe: Recipe, arrays: Path, out: Path, resume: Path, script: Path) -> None:
    """Fit `recipe` on the folder `arrays` of stage preprocess; write model.keras and history.csv.

    `resume` is the folder for the states of interrupted runs, which are continued; `script` is the
    caller's file, part of what identifies a run.  Of several processes only the first one writes.
    """
    configure(recipe.backend, recipe.threads)
    with connected(recipe.distribution, recipe.backend) as devices:
        from facial_expression.train import fit

        classes = read_classes(arrays / "classes.json")
        splits = [read_split(arrays, split, classes) for split in ("train", "val")]
        data = fit.Data(splits[0], splits[1], classes, *read_networks(recipe))
        precision, found = precision_here(recipe.precision), versions(recipe.backend)
        identity = {"recipe": asdict(recipe), "precision": precision, "versions": found}
        without_pictures = [*arrays.glob("*/labels-*.npy"), *arrays.glob("*/rows.csv"), script]
        devices.check_equal(checkpoints.key_of(without_pictures, identity))
        if devices.process > 0:
            started = devices.shared_bytes(b"")
            state = checkpoints.unpacked(io.BytesIO(started)) if started else None
            fit.fit(recipe, data, state, devices=devices)
            return
        if precision != recipe.precision:
            why = "no instructions for bfloat16 are known of this processor"
            print(f"training in {precision}: {why}", flush=True)
        key = checkpoints.key_of([arrays, script], identity)
        _fit_and_write(recipe, data, out, resume, key, devices)


def _fit_and_write(
    recipe: Recipe, data: fit.Data, out: Path, resume: Path, key: str, devices: Devices
) -> None:
    from facial_expression.network import keras_file
    from facial_expression.network.macs import macs
    from facial_expression.train import fit

    with checkpoints.held(resume, key) as checkpoint:
        state = checkpoints.read(checkpoint)
        if devices.processes > 1:
            file = checkpoint / checkpoints.FILE
            devices.shared_bytes(file.read_bytes() if state.history else b"")
        if state.history:
            print(f"continuing an interrupted run after epoch {len(state.history)}")
            write_table(out / "history.csv", pd.DataFrame(state.history))
        pace = Pace(recipe.epochs - len(state.history))

        def progress(batches: Iterable[Batch], epoch: int, steps: int) -> Iterable[Batch]:
            return shown(batches, f"epoch {epoch}/{recipe.epochs}", steps)

        def after_epoch(state: checkpoints.State) -> None:
            write_table(out / "history.csv", pd.DataFrame(state.history))
            checkpoints.write(checkpoint, state)
            row = state.history[-1]
            print(
                f"epoch {row['epoch']}/{recipe.epochs}: "
                f"loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}, "
                f"val loss {row['val_loss']:.4f}, val accuracy {row['val_accuracy']:.4f}; "
                f"{pace.after_epoch()}",
                flush=True,
            )

        model, _ = fit.fit(recipe, data, state, after_epoch, progress, devices)
        keras_file.save(model, out / "model.keras")
    print(
        f"wrote {out / 'model.keras'}: {model.count_params():,} parameters, "
        f"{macs(model) / 1e6:.1f} M multiply-accumulates a picture"
    )


def read_networks(recipe: Recipe) -> tuple[keras.Model | None, keras.Model | None]:
    """The network to start from and the teacher of a recipe, None where it has none.

    A ParameterError if a file or its sha256 is not the recipe's, a ModelError if it is no model.
    """
    from facial_expression.network.keras_file import load_classifier

    remedy = "dvc pull brings the released network; a recipe's first lines say how others are made"

    def read(name: str, given: Initial | Teacher) -> keras.Model | None:
        if not given.weights:
            return None
        key = f"train.{name}.weights"
        return load_classifier(pinned(given.weights, given.sha256, key, remedy))[0]

    return read("initial", recipe.initial), read("teacher", recipe.teacher)
