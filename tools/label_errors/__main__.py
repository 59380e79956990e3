"""Suspected label errors of the training pictures, for a person to review.  ARRAYS -> OUT.

    python -m tools.label_errors --arrays data/arrays --recipe RECIPE --out data/label_errors

Fits the recipe once a fold on the other folds, so that every training picture is judged by a
network that has not seen it, then applies confident learning (suspects.py).  Val and
test are never read, and nothing is chosen on the fold that is judged: all epochs, last weights.

Reads   ARRAYS/train and ARRAYS/classes.json of stage preprocess.
Writes  OUT/label_errors.csv   rank, path, label, suggested, self_confidence (probability of the
                               label), margin (less that of the suggestion; lowest first), and one
                               probability a class
        OUT/label_errors.json  counts: estimated joint of labels and true classes, noise rates
        OUT/label_errors.png   the 25 most suspect pictures; keep it, and OUT, out of git if they
                               show people
Probabilities of finished folds stay in OUT/folds/, named after a hash of recipe, arrays and code: a
killed run goes on after its last whole fold.  Look at the pictures, delete the rows that are right,
and name what is left in `index.exclude`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Split, read_split, write_array
from facial_expression.core.errors import DatasetError, run
from facial_expression.core.files import write_bytes, write_csv, write_json
from facial_expression.core.labels import read_classes
from facial_expression.core.params import load
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe
from facial_expression.train.checkpoints import State, key_of
from facial_expression.train.run import Pace, read_networks
from tools.label_errors import suspects
from tools.label_errors.cross_fitting import assign_folds, judging, parts

if TYPE_CHECKING:
    from facial_expression.train.batches import Batch

SHOWN = 25  # pictures on the sheet
DPI = 120


class Reporter:
    """Prints each epoch of each fold, and how long the folds that are left will take."""

    def __init__(self, recipe: Recipe, folds: int, todo: int) -> None:
        self.recipe, self.folds = recipe, folds
        self.pace = Pace(todo * recipe.epochs)
        self.fold = 0

    def batches(self, batches: Iterator[Batch], epoch: int, steps: int) -> Iterator[Batch]:
        """One epoch's batches behind a progress bar."""
        return self.pace.batches(batches, self._title(epoch), steps)

    def after_epoch(self, state: State) -> None:
        """Print the epoch and the time that is left."""
        row, epoch = state.history[-1], len(state.history)
        print(
            f"{self._title(epoch)}: "
            f"loss {row['loss']:.4f}, held-out accuracy {row['val_accuracy']:.4f}; "
            f"{self.pace.after_epoch()}",
            flush=True,
        )

    def _title(self, epoch: int) -> str:
        return f"fold {self.fold + 1}/{self.folds}, epoch {epoch}/{self.recipe.epochs}"


def out_of_fold(
    recipe: Recipe, train: Split, classes: list[str], fold_of: NDArray[np.int64], done: Path
) -> NDArray[np.float64]:
    """Probabilities (N, K) of each picture by the network of the other folds.

    What a fold gave is kept as `done`/fold-<number>.npy and read instead of being computed again.
    """
    folds = int(fold_of.max()) + 1
    found = np.empty((len(train), len(classes)))
    missing = [fold for fold in range(folds) if not _kept(done, fold).exists()]
    if len(missing) < folds:
        print(f"{done}: {folds - len(missing)} of {folds} folds are there already")
    reporter = Reporter(recipe, folds, len(missing))
    for fold in range(folds):
        if fold in missing:
            write_array(_kept(done, fold), judged(recipe, train, classes, fold_of, fold, reporter))
        found[fold_of == fold] = np.load(_kept(done, fold))
    return found


def judged(
    recipe: Recipe,
    train: Split,
    classes: list[str],
    fold_of: NDArray[np.int64],
    fold: int,
    reporter: Reporter,
) -> NDArray[np.float32]:
    """Probabilities, float32 (pictures of this fold, K), by a network fitted on the other folds."""
    from facial_expression.train import fit

    reporter.fold = fold
    others, held_out = parts(train, fold_of, fold)
    data = fit.Data(others, held_out, len(classes), *read_networks(recipe))
    model, _ = fit.fit(recipe, data, after_epoch=reporter.after_epoch, progress=reporter.batches)
    return fit.predicted(model, held_out.images)


def _kept(done: Path, fold: int) -> Path:
    return done / f"fold-{fold}.npy"


def write_list(
    out: Path, train: Split, probabilities: NDArray[np.float64], classes: list[str]
) -> None:
    """Write label_errors.csv and label_errors.png."""
    from facial_expression.plot.style import png
    from tools.label_errors.sheet import suspect_sheet

    labels = train.labels
    ranked = suspects.suspects(labels, probabilities)
    suggested = probabilities.argmax(axis=1)
    write_csv(
        out / "label_errors.csv",
        ("rank", "path", "label", "suggested", "self_confidence", "margin", *classes),
        (
            (
                rank,
                train.paths[row],
                classes[labels[row]],
                classes[suggested[row]],
                float(probabilities[row, labels[row]]),
                float(probabilities[row, labels[row]] - probabilities[row, suggested[row]]),
                *probabilities[row].tolist(),
            )
            for rank, row in enumerate(ranked, 1)
        ),
    )
    top = ranked[:SHOWN]
    figure = suspect_sheet(
        classes, train.images[top], labels[top], suggested[top], probabilities[top], len(ranked)
    )
    write_bytes(out / "label_errors.png", png(figure, DPI))


def find(arrays: Path, recipe: Recipe, folds: int, out: Path) -> None:
    """Judge every training picture out of fold and write the suspects."""
    classes = read_classes(arrays / "classes.json")
    train = read_split(arrays, "train")
    present = np.unique(train.labels)
    if len(present) < 2:
        raise DatasetError(
            f"{arrays}: expected training pictures of two classes or more, found "
            f"{', '.join(classes[label] for label in present) or 'none'}; add pictures of others"
        )
    recipe = judging(recipe)
    named = [x.weights for x in (recipe.initial, recipe.teacher) if x.weights]
    if named:
        print(
            f"note: the recipe learns from {' and '.join(named)}; label errors that such a network "
            "was fitted on go unseen",
            file=sys.stderr,
        )
    fold_of = assign_folds(train, classes, folds, recipe.seed)
    configure(recipe.backend, recipe.threads)
    used = versions(recipe.backend)
    identity = {"recipe": asdict(recipe), "folds": folds, "versions": used}
    key = key_of([arrays / "train", arrays / "classes.json"], identity)
    probabilities = out_of_fold(recipe, train, classes, fold_of, out / "folds" / key)
    counts = suspects.summary(train.labels, probabilities, classes)
    write_list(out, train, probabilities, classes)
    write_json(out / "label_errors.json", counts | {"classes": classes} | identity)
    print(
        f"wrote {out / 'label_errors.csv'}: {counts['suspects']:,} suspects of "
        f"{counts['pictures']:,} pictures, {100 * counts['noise_rate']:.1f} % of the labels are "
        "estimated to be wrong; look at label_errors.png first"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and find the suspects."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.label_errors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--arrays", type=Path, required=True, help="folder of stage preprocess")
    parser.add_argument("--recipe", type=Path, required=True, help="YAML with a section train:")
    parser.add_argument("--folds", type=int, default=5, help="networks to fit (5)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    args = parser.parse_args(argv)
    find(args.arrays, load(args.recipe, "train", Recipe), args.folds, args.out)


if __name__ == "__main__":
    run(main)
