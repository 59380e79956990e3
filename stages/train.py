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
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from facial_expression.dataset.arrays import read_split
from facial_expression.errors import run
from facial_expression.files import write_csv
from facial_expression.labels import read_classes
from facial_expression.parameters import load
from facial_expression.training import checkpoints
from facial_expression.training.backend import configure, versions
from facial_expression.training.recipe import Recipe

if TYPE_CHECKING:
    from facial_expression.training.fitting import Positions

HISTORY = ("epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")


class Reporter:
    """Prints and keeps what each epoch gave."""

    def __init__(self, recipe: Recipe, out: Path, checkpoint: Path) -> None:
        self.recipe, self.out, self.checkpoint = recipe, out, checkpoint
        self.started = time.perf_counter()
        self.epochs_here = 0

    def batches(self, batches: list[Positions], epoch: int) -> Iterable[Positions]:
        """One epoch's batches behind a progress bar."""
        return tqdm(
            batches,
            f"epoch {epoch}/{self.recipe.epochs}",
            unit=" batches",
            leave=False,
            disable=None,
        )

    def after_epoch(self, state: checkpoints.State) -> None:
        """Write the history and the checkpoint, then print the epoch and the time that is left."""
        write_history(self.out / "history.csv", state.history)
        checkpoints.write(self.checkpoint, state)
        self.epochs_here += 1
        row = state.history[-1]
        each = (time.perf_counter() - self.started) / self.epochs_here
        left = each * (self.recipe.epochs - len(state.history)) / 60
        print(
            f"epoch {row['epoch']}/{self.recipe.epochs}: "
            f"loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}, "
            f"val loss {row['val_loss']:.4f}, val accuracy {row['val_accuracy']:.4f}; "
            f"{each:.1f} s an epoch, {left:.1f} min left",
            flush=True,
        )


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write history.csv from one dictionary an epoch."""
    write_csv(path, HISTORY, [[row[name] for name in HISTORY] for row in history])


def train(recipe: Recipe, arrays: Path, out: Path, resume: Path) -> None:
    """Fit `recipe` on the arrays, going on where an interrupted run of the same inputs stopped."""
    configure(recipe.backend, recipe.threads)
    from facial_expression.training import exporting, fitting

    classes = read_classes(arrays / "classes.json")
    data = fitting.Data(read_split(arrays, "train"), read_split(arrays, "val"), len(classes))
    identity = {"recipe": asdict(recipe), "versions": versions(recipe.backend)}
    with checkpoints.held(resume, checkpoints.key_of([arrays], identity)) as checkpoint:
        state = checkpoints.read(checkpoint)
        if state:
            print(f"continuing an interrupted run after epoch {len(state.history)}")
            write_history(out / "history.csv", state.history)
        reporter = Reporter(recipe, out, checkpoint)
        model, _ = fitting.fit(recipe, data, state, reporter.after_epoch, reporter.batches)
        exporting.save(model, out / "model.keras")
    print(f"wrote {out / 'model.keras'}: {model.count_params():,} parameters")


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
