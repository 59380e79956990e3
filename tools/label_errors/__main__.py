"""Suspected label errors of the training pictures, for a person to review.  ARRAYS -> OUT.

    python -m tools.label_errors --arrays data/arrays --recipe RECIPE --out data/label_errors

Fits the recipe once per fold on the other folds, so that every training picture is judged by a
network that has not seen it.  Then applies confident learning (suspects.py).  val and test are
never read, and nothing is chosen on the fold that is judged: all epochs, last weights.

Reads   ARRAYS/train and ARRAYS/classes.json of stage preprocess; people.csv if it is given.
Writes  OUT/label_errors.csv   rank, path, label, suggested, self_confidence (probability of the
                               label), margin (self_confidence less the probability of the
                               suggestion; lowest first), and one probability a class
        OUT/label_errors.json  counts: estimated joint of labels and true classes, noise rates
        OUT/label_errors.png   the 25 most suspect pictures; if they show people, keep it, and
                               OUT, out of git
Probabilities of finished folds stay in OUT/folds/, in a folder named after a hash of recipe, arrays
and code: a killed run continues after its last whole fold.  Look at the pictures, delete the rows
whose labels are right, and name the file in `index.exclude`.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from facial_expression.core.arrays import read_split
from facial_expression.core.command import parser
from facial_expression.core.errors import DatasetError, run
from facial_expression.core.files import sha256_of, write_bytes, write_json
from facial_expression.core.labels import read_classes
from facial_expression.core.params import load
from facial_expression.core.tables import read_people, write_table
from facial_expression.index import splits
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe
from facial_expression.train.checkpoints import key_of
from tools.label_errors import cross_fitting, suspects

SHOWN = 25  # pictures on the sheet
DPI = 120


def find(arrays: Path, recipe: Recipe, folds: int, out: Path, people: Path | None = None) -> None:
    """Judge every training picture out of fold and write the suspects."""
    persons = dict(read_people(people)[["path", "group"]].to_numpy()) if people else {}
    classes = read_classes(arrays / "classes.json")
    train = read_split(arrays, "train")
    present = np.unique(train.labels)
    if len(present) < 2:
        raise DatasetError(
            f"{arrays}: expected training pictures of two classes or more, found "
            f"{', '.join(classes[label] for label in present) or 'none'}; add pictures of others"
        )
    recipe = replace(recipe, keep="last")  # nothing may be chosen on the held-out fold
    named = [x.weights for x in (recipe.initial, recipe.teacher) if x.weights]
    if named:
        print(
            f"note: the recipe learns from {' and '.join(named)}; label errors in its training "
            "pictures may not be found",
            file=sys.stderr,
        )
    fold_of = cross_fitting.assign_folds(train, classes, folds, recipe.seed, persons)
    configure(recipe.backend, recipe.threads)
    identity = {"recipe": asdict(recipe), "folds": folds, "versions": versions(recipe.backend)}
    if people:
        identity["people"] = sha256_of(people)
    code = [Path(str(module.__file__)) for module in (cross_fitting, splits)]
    key = key_of([arrays / "train", arrays / "classes.json", *code], identity)
    probabilities = cross_fitting.out_of_fold(recipe, train, classes, fold_of, out / "folds" / key)
    from facial_expression.plot.style import png
    from tools.label_errors.sheet import suspect_sheet

    rows = suspects.suspects(train.labels, probabilities)
    table = suspects.listed(rows, train, probabilities, classes)
    write_table(out / "label_errors.csv", table)
    figure = suspect_sheet(table.head(SHOWN), train.images[rows[:SHOWN]], len(table))
    write_bytes(out / "label_errors.png", png(figure, DPI))
    counts = suspects.summary(train.labels, probabilities, classes)
    write_json(out / "label_errors.json", counts | {"classes": classes} | identity)
    print(
        f"wrote {out / 'label_errors.csv'}: {counts['suspects']:,} suspects of "
        f"{counts['pictures']:,} pictures, {100 * counts['noise_rate']:.1f} % of the labels are "
        "estimated to be wrong; look at label_errors.png first"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and find the suspects."""
    recipe = "YAML with a section train:"
    paths = {"--arrays": "folder of stage preprocess", "--recipe": recipe}
    arguments = parser("tools.label_errors", __doc__, paths | {"--out": "folder to write to"})
    arguments.add_argument("--folds", type=int, default=5, help="networks to fit (5)")
    arguments.add_argument("--people", type=Path, help="people.csv: a person is in one fold only")
    args = arguments.parse_args(argv)
    find(args.arrays, load(args.recipe, "train", Recipe), args.folds, args.out, args.people)


if __name__ == "__main__":
    run(main)
