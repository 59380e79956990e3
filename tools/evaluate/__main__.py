"""Score a network on any pictures, with the scores and tables of stage evaluate.

    python -m tools.evaluate MODEL PICTURES --out DIR [--split test] [--map joy=happy ...]

Reads   MODEL, a .keras file; PICTURES/<class>/<name>, or PICTURES/SPLIT/<class>/<name>, decoded as
        for training; and the names of the model's classes.
Writes  DIR/scores.json    scores: `pictures` plain, `pictures_flip` and `pictures_views` averaged
                            over both mirror images and over 18 moved views; calibration, selective
                            prediction, absent classes, what was left out, model, versions
        DIR/predictions.csv path, actual, predicted, one probability a class
        DIR/*.csv           the other tables of stage evaluate
        DIR/*.png           confusion, per_class_f1, reliability, risk_coverage, and two sheets
                            that show the pictures: predictions, hardest_mistakes

macro_f1 is the mean over all classes of the model, where a class without a picture counts 0;
macro_f1_present is the mean over those that occur.  Scores on another data set measure the other
labels and another choice of pictures as well: see docs/protocol.md.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.command import parser
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import sha256_of, write_bytes, write_json
from facial_expression.core.tables import write_table
from facial_expression.network.backend import configure, versions
from tools.arguments import add_prediction, positive_float
from tools.beside import find_classes, find_temperature, read_names
from tools.evaluate import folders

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLOUR, DPI, SHOWN, SEED = "#2b6cb0", 120, 18, 0  # as plot: in params.yaml
NAME = "pictures"  # of the scores: a folder's name could be that of another entry


def read_map(items: Sequence[str]) -> dict[str, str]:
    """["joy=happy", "contempt="] -> {"joy": "happy", "contempt": ""}."""
    items = [unicodedata.normalize("NFC", item) for item in items]  # as list_folders
    pairs = [item.partition("=") for item in items]
    for item, (folder, sign, _) in zip(items, pairs, strict=True):
        if not folder or not sign:
            raise ParameterError(f"--map: expected FOLDER=CLASS or FOLDER=, found {item!r}")
    return {folder: name for folder, _, name in pairs}


def score(
    pictures: folders.Labelled,
    means: dict[str, NDArray[np.float64]],
    temperature: float,
    trained_on: set[str] | None,
) -> dict[str, Any]:
    """The entries of scores.json that say how well the pictures were classified.

    Without `trained_on` (hashes of training pictures) what leaked is unknown and not reported.
    """
    from facial_expression.evaluate import tables
    from facial_expression.metrics.scores import macro_f1_present

    leak_free = np.array([each not in (trained_on or ()) for each in pictures.fingerprints])
    scores: dict[str, Any] = tables.split_scores(NAME, pictures.labels, means, leak_free)
    if trained_on is None:
        del scores[f"{NAME}_leak_free"]
    plain = means["plain"]
    present = macro_f1_present(pictures.labels, plain.argmax(axis=1))
    scores[NAME]["macro_f1_present"] = present
    scores |= tables.trust(pictures.labels, plain, temperature)
    scores["calibration"]["fitted_on"] = "other pictures" if temperature != 1 else "nothing"
    return scores


def draw(
    name: str,
    pictures: folders.Labelled,
    plain: NDArray[np.float64],
    classes: list[str],
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, Figure]:
    """The figures of these tables and two sheets of pictures, by name."""
    from facial_expression.plot import figures, sheets

    predicted, total = plain.argmax(axis=1), len(pictures.labels)
    scored = sheets.Predicted(pictures.images, pictures.labels, predicted, plain)
    some, worst = sheets.choose(total, SHOWN, SEED), sheets.hardest(scored, SHOWN)
    chosen = f"Predictions for {len(some):,} pictures drawn at random from {total:,} of {name}"
    wrong = f"The {len(worst):,} most confident wrong predictions on {name} (n = {total:,})"
    per_class = tables["per_class"]
    present = per_class[per_class["support"] > 0]  # without pictures an F1 of 0 would be false
    return {
        "confusion": figures.confusion(tables["confusion"], classes, name, COLOUR),
        "per_class_f1": figures.per_class_f1(present, name, COLOUR),
        "reliability": figures.reliability(tables["reliability"], name, COLOUR),
        "risk_coverage": figures.risk_coverage(tables["risk_coverage"], total, name, COLOUR),
        "predictions": sheets.prediction_sheet(classes, scored[some], chosen, COLOUR),
        "hardest_mistakes": sheets.prediction_sheet(classes, scored[worst], wrong, COLOUR),
    }


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """Read, predict, write every file; returns what scores.json says."""
    classes = read_names(args.classes or find_classes(args.model))
    temperature = args.temperature or find_temperature(args.model)
    listed = folders.list_folders(args.pictures, args.split)
    labels = folders.assign_labels(list(listed), classes, read_map(args.map))
    trained_on = folders.training_fingerprints(args.trained_on) if args.trained_on else None
    configure(args.backend, args.threads)
    from facial_expression.evaluate import tables
    from facial_expression.network.loading import check_probabilities, load_classifier
    from facial_expression.network.macs import macs
    from facial_expression.network.predict import averaged_predictions
    from facial_expression.plot.style import png

    model, side = load_classifier(args.model, len(classes))
    pictures = folders.read_pictures(args.pictures, listed, labels, side)
    means = averaged_predictions(model, pictures.images, args.batch_size)
    plain, name = means["plain"], args.split or NAME
    check_probabilities(args.model, plain)
    absent = np.bincount(pictures.labels, minlength=len(classes)) == 0
    metrics = {
        "reported_split": NAME,
        "split": args.split,
        "labels": "folders",
        **score(pictures, means, temperature, trained_on),
        "classes_absent": [each for each, none in zip(classes, absent, strict=True) if none],
        "left_out": {each: len(listed[each]) for each in listed if labels[each] is None},
        "mapped": {folder: to for folder, to in read_map(args.map).items() if to},
        "model": {
            "sha256": sha256_of(args.model),
            "parameters": model.count_params(),
            "macs": macs(model),
        },
        "versions": versions(args.backend),
    }
    written = tables.tables(pictures.labels, plain, temperature, classes)
    written["predictions"] = tables.predictions(pictures.paths, pictures.labels, plain, classes)
    for table, rows in written.items():
        write_table(args.out / f"{table}.csv", rows)
    for figure, drawing in draw(name, pictures, plain, classes, written).items():
        write_bytes(args.out / f"{figure}.png", png(drawing, DPI))
    write_json(args.out / "scores.json", metrics)
    return metrics


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, evaluate, print the headline scores."""
    arguments = parser("tools.evaluate", __doc__)
    add = arguments.add_argument
    add("model", type=Path, metavar="MODEL", help="a .keras file: grey squares -> probabilities")
    add("pictures", type=Path, metavar="PICTURES", help="folder that holds <class>/<name>")
    add("--out", type=Path, required=True, help="folder to write to")
    add("--split", default="", help="score PICTURES/SPLIT/<class>/<name>")
    add("--classes", type=Path, help="classes.json of the model (default: the one beside it)")
    add(
        *("--map", "-m"), action="append", default=[], metavar="FOLDER=CLASS",
        help="the class that a folder holds; FOLDER= leaves it out; may be repeated",
    )  # fmt: skip
    add("--trained-on", type=Path, metavar="INDEX", help="index.csv of the model's data: counts "
        "and sets apart pictures that equal a training picture")  # fmt: skip
    add("--temperature", type=positive_float, help="that calibrates the model (default: that of "
        "calibration.json beside it, or 1)")  # fmt: skip
    add_prediction(arguments)
    metrics = evaluate(arguments.parse_args(argv))
    s = metrics[metrics["reported_split"]]
    print(
        f"accuracy {s['accuracy']:.4f} (95 % interval {s['accuracy_low']:.4f} to "
        f"{s['accuracy_high']:.4f}), macro F1 of the classes present {s['macro_f1_present']:.4f}, "
        f"n = {s['n']}; the rest is in scores.json"
    )


if __name__ == "__main__":
    run(main)
