"""Stage `train`: fit the expression classifier.  ARRAYS -> OUT  (params: train).

Reads   ARRAYS/train, ARRAYS/val and ARRAYS/classes.json.
Writes  OUT/model.keras  the fitted network without optimizer state, uint8 pictures in
        OUT/history.csv  epoch, learning_rate, loss, accuracy, val_loss, val_accuracy; grows an
                         epoch at a time
A killed run continues from its last epoch when it is started again with the same inputs and
parameters; its state lies in RESUME until the run has finished.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from facial_expression.dataset.arrays import read_split
from facial_expression.errors import run
from facial_expression.files import write_csv
from facial_expression.labels import read_classes
from facial_expression.parameters import load
from facial_expression.training import checkpoints
from facial_expression.training.backend import configure, versions
from facial_expression.training.pace import Pace
from facial_expression.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

    from facial_expression.training.batches import Batch

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


def train(recipe: Recipe, arrays: Path, out: Path, resume: Path) -> None:
    """Fit `recipe` on the arrays, going on where an interrupted run of the same inputs stopped."""
    configure(recipe.backend, recipe.threads)
    from facial_expression.training import exporting, fitting
    from facial_expression.training.macs import macs

    classes = read_classes(arrays / "classes.json")
    initial, teacher = read_networks(recipe)
    data = fitting.Data(
        read_split(arrays, "train"), read_split(arrays, "val"), len(classes), initial, teacher
    )
    identity = {"recipe": asdict(recipe), "versions": versions(recipe.backend)}
    with checkpoints.held(resume, checkpoints.key_of([arrays], identity)) as checkpoint:
        state = checkpoints.read(checkpoint)
        if state:
            print(f"continuing an interrupted run after epoch {len(state.history)}")
            write_history(out / "history.csv", state.history)
        side = data.train.images.shape[1]
        reporter = Reporter(recipe, side, out, checkpoint)
        model, _ = fitting.fit(recipe, data, state, reporter.after_epoch, reporter.batches)
        exporting.save(model, out / "model.keras")
    print(
        f"wrote {out / 'model.keras'}: {model.count_params():,} parameters, "
        f"{macs(model) / 1e6:.1f} M multiply-accumulates a picture; "
        f"training took at most {peak_memory() / 1e9:.1f} GB of memory"
    )


def read_networks(recipe: Recipe) -> tuple[tuple[keras.Model, str] | None, keras.Model | None]:
    """The networks that the recipe starts from (with its path) and learns from, if it names any."""
    from facial_expression.training.exporting import load_pinned

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


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", type=Path, required=True, help="YAML with a section train:")
    parser.add_argument("--arrays", type=Path, required=True, help="folder of stage preprocess")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--resume", type=Path, default=Path(".resume"), help="state of broken runs")
    args = parser.parse_args(argv)
    train(load(args.params, "train", Recipe), args.arrays, args.out, args.resume)


if __name__ == "__main__":
    run(main)
