"""Stage `plot`: draw a run.  INDEX, ARRAYS, HISTORY, EVALUATION -> OUT  (params: plot)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.dataset import saliency
from facial_expression.dataset.arrays import read_split
from facial_expression.errors import DatasetError, run
from facial_expression.files import atomic, read_csv
from facial_expression.labels import read_classes
from facial_expression.parameters import CLOSED, load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from facial_expression.plotting.sheets import Predicted


@dataclass(frozen=True, config=CLOSED)
class PlotParams:
    """How the figures look.  `colour` is #rrggbb; the rest are counts, and the seed of a choice."""

    dpi: Annotated[int, Field(ge=50, le=600)]
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
    pictures_per_class: Annotated[int, Field(ge=1, le=40)]
    predictions: Annotated[int, Field(ge=1, le=60)]
    seed: Annotated[int, Field(ge=0)]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; paths come from dvc.yaml."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.plot",
        description="Draw the figures of a run as PNG files: class_counts, confusion, curves, "
        "per_class_f1, sample_sheet, predictions, hardest_mistakes, saliency. Scores are those of "
        "the test split if it was evaluated, else of val.",
    )
    paths = {
        "--params": "YAML file with the section plot:",
        "--index": "folder; reads class_counts.csv",
        "--arrays": "folder; reads classes.json, the train split and the scored split",
        "--history": "history.csv of the train stage",
        "--evaluation": "folder; reads confusion.csv, per_class.csv, predictions/ and saliency.npz",
        "--out": "folder; writes the eight PNG files",
    }
    for name, text in paths.items():
        parser.add_argument(name, type=Path, required=True, help=text)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the tables and pictures, draw, write each PNG atomically."""
    args = parse(argv)
    params = load(args.params, "plot", PlotParams)
    classes = read_classes(args.arrays / "classes.json")
    split = scored_split(args.evaluation / "predictions")

    from facial_expression.plotting.style import png

    drawings = {
        "class_counts": draw_counts(args.index / "class_counts.csv", classes, params),
        "curves": draw_curves(args.history, params),
        "confusion": draw_confusion(args.evaluation / "confusion.csv", classes, split, params),
        "per_class_f1": draw_f1(args.evaluation / "per_class.csv", classes, split, params),
        "sample_sheet": draw_samples(args.arrays, classes, params),
        **draw_predictions(args.evaluation, args.arrays, classes, split, params),
    }
    for name, figure in drawings.items():
        with atomic(args.out / f"{name}.png") as temporary:
            temporary.write_bytes(png(figure, params.dpi))


def scored_split(folder: Path) -> str:
    """The split whose scores are reported: test if it was evaluated, else val."""
    for split in ("test", "val"):
        if (folder / f"{split}.csv").is_file():
            return split
    raise DatasetError(f"{folder}: expected test.csv or val.csv, found neither; run evaluate")


def draw_counts(path: Path, classes: list[str], params: PlotParams) -> Figure:
    """Class counts of every split that the table names, in the table's order."""
    from facial_expression.plotting.figures import class_counts

    counts: dict[str, list[int]] = {}
    for row in table(path, "class", "split", "count"):
        counts.setdefault(row["split"], [0] * len(classes))
        counts[row["split"]][position(row["class"], classes, path)] = int(row["count"])
    return class_counts(classes, counts, params.colour)


def draw_curves(path: Path, params: PlotParams) -> Figure:
    """Loss and accuracy by epoch."""
    from facial_expression.plotting.figures import curves

    columns = ("epoch", "loss", "val_loss", "accuracy", "val_accuracy")
    rows = table(path, *columns)
    value = {name: [float(row[name]) for row in rows] for name in columns}
    epochs = [int(row["epoch"]) for row in rows]
    loss = value["loss"], value["val_loss"]
    return curves(epochs, loss, (value["accuracy"], value["val_accuracy"]), params.colour)


def draw_confusion(path: Path, classes: list[str], split: str, params: PlotParams) -> Figure:
    """Confusion matrix of the scored split."""
    from facial_expression.plotting.figures import confusion

    counts = np.zeros((len(classes), len(classes)), np.int64)
    for row in table(path, "actual", "predicted"):
        counts[
            position(row["actual"], classes, path), position(row["predicted"], classes, path)
        ] += 1
    return confusion(classes, counts, split, params.colour)


def draw_f1(path: Path, classes: list[str], split: str, params: PlotParams) -> Figure:
    """F1, precision and recall by class of the scored split."""
    from facial_expression.plotting.figures import per_class_f1

    precision, recall, f1 = scores = np.zeros((3, len(classes)))
    support = np.zeros(len(classes), np.int64)
    for row in table(path, "class", "precision", "recall", "f1", "support"):
        place = position(row["class"], classes, path)
        scores[:, place] = float(row["precision"]), float(row["recall"]), float(row["f1"])
        support[place] = int(row["support"])
    return per_class_f1(classes, precision, recall, f1, support, split, params.colour)


def draw_samples(arrays: Path, classes: list[str], params: PlotParams) -> Figure:
    """A seeded choice of training pictures of each class."""
    from facial_expression.plotting.sheets import choose_by_class, sample_sheet

    train = read_split(arrays, "train")
    chosen = choose_by_class(train.labels, len(classes), params.pictures_per_class, params.seed)
    totals = np.bincount(train.labels, minlength=len(classes)).tolist()
    return sample_sheet(classes, [train.images[rows] for rows in chosen], totals)


def draw_predictions(
    folder: Path, arrays: Path, classes: list[str], split: str, params: PlotParams
) -> dict[str, Figure]:
    """A seeded choice of predictions, the most confident wrong ones, and saliency maps."""
    from facial_expression.plotting.saliency import saliency_sheet
    from facial_expression.plotting.sheets import choose, hardest, prediction_sheet

    scored = read_predictions(folder / "predictions" / f"{split}.csv", arrays, classes, split)
    total = len(scored.images)
    mistakes = int((scored.actual != scored.predicted).sum())
    some = choose(total, params.predictions, params.seed)
    worst = hardest(scored, params.predictions)
    explained = saliency.read(folder / "saliency.npz")
    most = f"The {len(worst):,} most confident of {mistakes:,} " if worst else "No "
    return {
        "predictions": prediction_sheet(
            classes,
            scored[some],
            f"Predictions for {len(some):,} pictures drawn at random from {total:,} of {split}",
            params.colour,
        ),
        "hardest_mistakes": prediction_sheet(
            classes,
            scored[worst],
            f"{most}wrong predictions on {split} (n = {total:,})",
            params.colour,
        ),
        "saliency": saliency_sheet(
            classes, scored[explained.rows], explained.maps, (total - mistakes, mistakes), split
        ),
    }


def read_predictions(path: Path, arrays: Path, classes: list[str], split: str) -> Predicted:
    """The scored pictures; the table's rows must be the arrays' rows."""
    from facial_expression.plotting.sheets import Predicted

    rows = table(path, "path", "actual", "predicted", *classes)
    pictures = read_split(arrays, split)
    if [row["path"] for row in rows] != pictures.paths:
        raise DatasetError(
            f"{path}: expected the {len(pictures)} pictures of {arrays / split} in their order, "
            f"found {len(rows)} other rows; run evaluate again"
        )
    return Predicted(
        images=pictures.images,
        actual=pictures.labels,
        predicted=np.array([position(row["predicted"], classes, path) for row in rows], np.int64),
        probabilities=np.array([[float(row[name]) for name in classes] for row in rows]),
    )


def table(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV table that has these columns and at least one row."""
    try:
        rows = list(read_csv(path))
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such table; run the stages before plot") from None
    if not rows or not set(columns) <= rows[0].keys():
        found = f"columns {', '.join(rows[0])}" if rows else "no row"
        raise DatasetError(f"{path}: expected columns {', '.join(columns)} and rows, found {found}")
    return rows


def position(name: str, classes: list[str], path: Path) -> int:
    """The label of a class name."""
    if name not in classes:
        raise DatasetError(f"{path}: expected a class of {', '.join(classes)}, found {name!r}")
    return classes.index(name)


if __name__ == "__main__":
    run(main)
