"""One training run: arrays -> history.csv and model.keras, resumable after each epoch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from facial_expression.core.arrays import read_split
from facial_expression.core.files import write_csv
from facial_expression.core.labels import read_classes
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe
from facial_expression.train import checkpoints
from facial_expression.train.pace import Pace

if TYPE_CHECKING:
    import keras

    from facial_expression.train.batches import Batch

HISTORY = ("epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")


class Reporter:
    """Prints and keeps what each epoch gave."""

    def __init__(self, recipe: Recipe, side: int, out: Path, checkpoint: Path) -> None:
        self.recipe, self.out, self.checkpoint = recipe, out, checkpoint
        self.pace = Pace(recipe, side)

    def batches(self, batches: Iterator[Batch], epoch: int, steps: int) -> Iterator[Batch]:
        """One epoch's batches behind a progress bar."""
        return self.pace.batches(batches, f"epoch {epoch}/{self.recipe.epochs}", steps)

    def after_epoch(self, state: checkpoints.State) -> None:
        """Write the history and the checkpoint, then print the epoch and the time that is left."""
        write_history(self.out / "history.csv", state.history)
        checkpoints.write(self.checkpoint, state)
        epoch, row = len(state.history), state.history[-1]
        print(
            f"epoch {epoch}/{self.recipe.epochs}: "
            f"loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}, "
            f"val loss {row['val_loss']:.4f}, val accuracy {row['val_accuracy']:.4f}; "
            f"{self.pace.after_epoch(epoch)}",
            flush=True,
        )


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write history.csv from one dictionary an epoch."""
    write_csv(path, HISTORY, [[row[name] for name in HISTORY] for row in history])


def train(recipe: Recipe, arrays: Path, out: Path, resume: Path, script: Path) -> None:
    """Fit `recipe` on the arrays, going on where an interrupted run of the same inputs stopped.

    Args:
        recipe: how to fit.
        arrays: folder of stage preprocess.
        out: folder that gets history.csv after each epoch and model.keras at the end.
        resume: folder with the states of interrupted runs.
        script: the caller's own code, part of what identifies a run.
    """
    configure(recipe.backend, recipe.threads)
    from facial_expression.network import keras_file
    from facial_expression.network.macs import macs
    from facial_expression.train import fit

    classes = read_classes(arrays / "classes.json")
    initial, teacher = read_networks(recipe)
    data = fit.Data(
        read_split(arrays, "train"), read_split(arrays, "val"), len(classes), initial, teacher
    )
    identity = {"recipe": asdict(recipe), "versions": versions(recipe.backend)}
    with checkpoints.held(
        resume, checkpoints.key_of([arrays, Path(__file__)], identity)
    ) as checkpoint:
        state = checkpoints.read(checkpoint)
        if state:
            print(f"continuing an interrupted run after epoch {len(state.history)}")
            write_history(out / "history.csv", state.history)
        side = data.train.images.shape[1]
        reporter = Reporter(recipe, side, out, checkpoint)
        model, _ = fit.fit(recipe, data, state, reporter.after_epoch, reporter.batches)
        keras_file.save(model, out / "model.keras")
    print(
        f"wrote {out / 'model.keras'}: {model.count_params():,} parameters, "
        f"{macs(model) / 1e6:.1f} M multiply-accumulates a picture; "
        f"training took at most {peak_memory() / 1e9:.1f} GB of memory"
    )


def read_networks(recipe: Recipe) -> tuple[tuple[keras.Model, str] | None, keras.Model | None]:
    """The networks that the recipe starts from (with its path) and learns from, if it names any."""
    from facial_expression.network.keras_file import load_pinned

    initial, teacher = recipe.initial, recipe.teacher
    return (
        (load_pinned(initial.weights, initial.sha256, "train.initial"), initial.weights)
        if initial.weights
        else None,
        load_pinned(teacher.weights, teacher.sha256, "train.teacher") if teacher.weights else None,
    )


def peak_memory() -> int:
    """The most memory in bytes that this process held."""
    try:
        import resource
    except ImportError:
        import psutil  # type: ignore[import-untyped]

        return int(psutil.Process().memory_info().peak_wset)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
