"""Score a network on any pictures, with the scores and tables of stage evaluate.

    python -m tools.evaluate MODEL PICTURES --out DIR [--split test] [--map joy=happy ...]

Reads   MODEL, a .keras file; PICTURES/<class>/<name>, or PICTURES/SPLIT/<class>/<name>, decoded as
        for training; and the names of the model's classes.
Writes  DIR/scores.json     scores: `pictures` plain, `pictures_flip` and `pictures_views` averaged
                            over both mirror images and over 18 moved views; calibration, selective
                            prediction, absent classes, folders left out, model, versions
        DIR/predictions.csv path, actual, predicted, one probability a class
        DIR/*.csv           the other tables of stage evaluate
        DIR/*.png           confusion, reliability, and two sheets that show the pictures:
                            predictions, hardest_mistakes

Of FER2013's folder copy `--split val` scores PublicTest and `--split test` PrivateTest, as the
pipeline does; their names in FER2013 are understood as well.

macro_f1 is the mean over all classes of the model; a class without a picture counts 0.
macro_f1_present is the mean over the classes that occur.  Scores on another data set also depend on
its labels and its choice of pictures: see docs/protocol.md.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Split
from facial_expression.core.command import parser
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import sha256_of, write_bytes, write_json
from facial_expression.core.labels import FER2013_SPLITS, read_classes
from facial_expression.core.tables import write_table
from facial_expression.network.backend import configure, versions
from tools.arguments import add_prediction, positive_float
from tools.beside import find_classes, find_temperature
from tools.evaluate import folders

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLOUR, DPI, SHOWN, SEED = "#2b6cb0", 120, 18, 0  # as plot: in params.yaml
NAME = "pictures"  # entry of the scores; a folder could have the name of another entry


def read_map(items: Sequence[str]) -> dict[str, str]:
    """["joy=happy", "contempt="] -> {"joy": "happy", "contempt": ""}."""
    items = [unicodedata.normalize("NFC", item) for item in items]  # as list_folders
    pairs = [item.partition("=") for item in items]
    for item, (folder, sign, _) in zip(items, pairs, strict=True):
        if not folder or not sign:
            raise ParameterError(f"--map: expected FOLDER=CLASS or FOLDER=, found {item!r}")
    return {folder: name for folder, _, name in pairs}


def draw(
    name: str,
    pictures: Split,
    plain: NDArray[np.float64],
    classes: list[str],
    tables: Mapping[str, pd.DataFrame],
    calibration: Mapping[str, Any],
) -> dict[str, Figure]:
    """The figures of these tables and two sheets of pictures, by name."""
    from facial_expression.plot import figures, sheets

    images, labels = np.asarray(pictures.images), pictures.labels
    scored = sheets.Predicted(images, labels, plain.argmax(axis=1), plain)
    return {
        "confusion": figures.confusion(tables["confusion"], classes, name, COLOUR),
        "reliability": figures.reliability(tables["reliability"], calibration, name, COLOUR),
        **sheets.prediction_sheets(classes, scored, SHOWN, SEED, name),
    }


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """Read, predict, write every file; the content of scores.json."""
    classes = read_classes(args.classes or find_classes(args.model))
    temperature = args.temperature or find_temperature(args.model)
    renamed = read_map(args.map)
    listed = folders.list_folders(args.pictures, args.split)
    labels = folders.assign_labels(list(listed), classes, renamed)
    trained_on = folders.training_fingerprints(args.trained_on) if args.trained_on else None
    configure(args.backend, args.threads)
    from facial_expression.evaluate import tables
    from facial_expression.metrics.calibration import with_temperature
    from facial_expression.metrics.scores import macro_f1
    from facial_expression.network.keras_file import check_probabilities, load_classifier
    from facial_expression.network.macs import macs
    from facial_expression.network.predict import averaged_predictions, predicted_logits
    from facial_expression.plot.style import png

    model, side = load_classifier(args.model, len(classes))
    pictures = folders.read_pictures(args.pictures, listed, labels, side, trained_on)
    means = averaged_predictions(model, pictures.images, args.batch_size)
    plain, name = means["plain"], args.split or NAME
    check_probabilities(args.model, plain)
    logits = predicted_logits(model, pictures.images, args.batch_size)
    scored = pictures.labels, plain, with_temperature(logits, temperature), temperature
    written = tables.tables(*scored, classes)
    written["predictions"] = tables.predictions(pictures.paths, pictures.labels, plain, classes)
    support = written["per_class"].set_index("class")["support"]
    scores: dict[str, Any] = {
        "reported_split": NAME,
        "split": args.split,
        "labels": "folders",
        **tables.split_scores(NAME, pictures.labels, means, pictures.leak_free),
        **tables.trust(*scored),
        "classes_absent": support.index[support == 0].tolist(),
        "left_out": {each: len(listed[each]) for each in listed if labels[each] is None},
        "mapped": {folder: to for folder, to in renamed.items() if to},
        "model": {
            "sha256": sha256_of(args.model),
            "parameters": model.count_params(),
            "macs": macs(model),
        },
        "versions": versions(args.backend),
    }
    present = macro_f1(pictures.labels, plain.argmax(axis=1))
    scores[NAME]["macro_f1_present"] = present
    scores["calibration"]["fitted_on"] = "other pictures" if temperature != 1 else "nothing"
    for table, rows in written.items():
        write_table(args.out / f"{table}.csv", rows)
    drawn = draw(name, pictures, plain, classes, written, scores["calibration"])
    for figure, drawing in drawn.items():
        write_bytes(args.out / f"{figure}.png", png(drawing, DPI))
    write_json(args.out / "scores.json", scores)
    return scores


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, evaluate, print the headline scores."""
    arguments = parser("tools.evaluate", __doc__)
    add = arguments.add_argument
    add("model", type=Path, metavar="MODEL", help="a .keras file: grey squares to probabilities")
    add("pictures", type=Path, metavar="PICTURES", help="folder that holds <class>/<name>")
    add("--out", type=Path, required=True, help="folder to write to")
    add(
        "--split", default="", type=lambda name: FER2013_SPLITS.get(name, name),
        help="score PICTURES/SPLIT/<class>/<name>",
    )  # fmt: skip
    add("--classes", type=Path, help="classes.json of the model (default: the one beside it)")
    add(
        *("--map", "-m"), action="append", default=[], metavar="FOLDER=CLASS",
        help="the class that a folder holds; FOLDER= leaves it out; may be repeated",
    )  # fmt: skip
    add("--trained-on", type=Path, metavar="INDEX", help="index.csv of the model's data: adds "
        "scores of the pictures that equal no training picture")  # fmt: skip
    add("--temperature", type=positive_float, help="calibrates the model (default: from "
        "calibration.json beside it, or 1)")  # fmt: skip
    add_prediction(arguments)
    s = evaluate(arguments.parse_args(argv))[NAME]
    print(
        f"accuracy {s['accuracy']:.4f} (95 % interval {s['accuracy_low']:.4f} to "
        f"{s['accuracy_high']:.4f}), macro F1 of the classes present {s['macro_f1_present']:.4f}, "
        f"n = {s['n']}; the rest is in scores.json"
    )


if __name__ == "__main__":
    run(main)
