"""Stage `plot`: draw a run.

IMAGES, INDEX, ARRAYS, HISTORY, EVALUATION -> OUT  (params: plot)
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core import saliency_file
from facial_expression.core.arrays import read_split
from facial_expression.core.errors import DatasetError, run
from facial_expression.core.files import write_bytes
from facial_expression.core.labels import read_classes
from facial_expression.core.params import CLOSED, load
from facial_expression.pictures.squares import read_squares
from facial_expression.plot import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from facial_expression.plot.sheets import Predicted

PAIRS = 6  # of confused classes whose pictures are shown
SHEET_SIDE = 96  # pixels of the audit sheet's pictures, more than FER2013's for larger ones


@dataclass(frozen=True, config=CLOSED)
class PlotParams:
    """How the figures look.  `colour` is #rrggbb; the rest are counts, and the seed of a choice."""

    dpi: Annotated[int, Field(ge=50, le=600)]
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
    pictures_per_class: Annotated[int, Field(ge=1, le=40)]
    predictions: Annotated[int, Field(ge=1, le=60)]
    findings_per_kind: Annotated[int, Field(ge=1, le=40)]
    seed: Annotated[int, Field(ge=0)]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; paths come from dvc.yaml."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.plot",
        description="Draw the figures of a run, one PNG file each. Scores are those of the test "
        "split if it was evaluated, else of val.",
    )
    paths = {
        "--params": "YAML file with the section plot:",
        "--images": "images.zip; reads the pictures of the audit sheet",
        "--index": "folder; reads class_counts.csv and audit.csv",
        "--arrays": "folder; reads classes.json, the train split and the scored split",
        "--history": "history.csv of the train stage",
        "--evaluation": "folder; reads its tables, predictions/ and saliency.npz",
        "--out": "folder; writes the PNG files",
    }
    for name, text in paths.items():
        parser.add_argument(name, type=Path, required=True, help=text)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the tables and pictures, draw, write each PNG atomically."""
    args = parse(argv)
    params = load(args.params, "plot", PlotParams)
    classes = read_classes(args.arrays / "classes.json")
    predictions = args.evaluation / "predictions"
    split = scored_split(predictions)

    from facial_expression.plot.style import png

    scored = read_predictions(predictions / f"{split}.csv", args.arrays, classes, split)
    drawings = {
        **draw_charts(args, classes, split, params.colour),
        "sample_sheet": draw_samples(args.arrays, classes, params),
        "audit_sheet": draw_findings(
            args.index / "audit.csv", args.images, params.findings_per_kind
        ),
        **draw_predictions(scored, classes, split, params),
        "confused_pairs": draw_confused(
            args.evaluation / "confused_pairs.csv", scored, classes, split, params
        ),
        "saliency": draw_saliency(args.evaluation / "saliency.npz", scored, classes, split),
    }
    for name, figure in drawings.items():
        write_bytes(args.out / f"{name}.png", png(figure, params.dpi))


def scored_split(folder: Path) -> str:
    """The split whose scores are reported: test if it was evaluated, else val."""
    for split in ("test", "val"):
        if (folder / f"{split}.csv").is_file():
            return split
    raise DatasetError(f"{folder}: expected test.csv or val.csv, found neither; run evaluate")


def draw_charts(
    args: argparse.Namespace, classes: list[str], split: str, colour: str
) -> dict[str, Figure]:
    """The figures that show numbers and no picture."""
    from facial_expression.plot import confidence, figures

    counts = tables.class_counts(args.index / "class_counts.csv", classes)
    names = ("epoch", "loss", "val_loss", "accuracy", "val_accuracy")
    epoch, loss, val_loss, accuracy, val_accuracy = tables.columns(args.history, *names).values()
    pairs = (loss, val_loss), (accuracy, val_accuracy)
    matrix = tables.confusion(args.evaluation / "confusion.csv", classes)
    scores = tables.per_class(args.evaluation / "per_class.csv", classes)
    bins = tables.reliability(args.evaluation / "reliability.csv")
    risk_table = args.evaluation / "risk_coverage.csv"
    coverage, risk = tables.columns(risk_table, "coverage", "risk").values()
    n = int(matrix.sum())
    return {
        "class_counts": figures.class_counts(classes, counts, colour),
        "curves": figures.curves([int(number) for number in epoch], *pairs, colour),
        "confusion": figures.confusion(classes, matrix, split, colour),
        "per_class_f1": figures.per_class_f1(classes, *scores, split, colour),
        "reliability": confidence.reliability(bins, split, colour),
        "risk_coverage": confidence.risk_coverage(coverage, risk, n, split, colour),
    }


def draw_samples(arrays: Path, classes: list[str], params: PlotParams) -> Figure:
    """A seeded choice of training pictures of each class."""
    from facial_expression.plot.sheets import choose_by_class, sample_sheet

    train = read_split(arrays, "train")
    chosen = choose_by_class(train.labels, len(classes), params.pictures_per_class, params.seed)
    totals = np.bincount(train.labels, minlength=len(classes)).tolist()
    return sample_sheet(classes, [train.images[rows] for rows in chosen], totals)


def draw_findings(path: Path, images: Path, each: int) -> Figure:
    """The first `each` findings of every kind; audit.csv puts what weighs most first."""
    from facial_expression.plot.audit_sheet import audit_sheet, by_kind

    found = by_kind(tables.table(path, "path", "kind", "partner", "score", may_be_empty=True))
    shown = {kind: some[:each] for kind, some in found.items()}
    paths = sorted({name for some in shown.values() for one in some for name in one.paths})
    totals = {kind: len(some) for kind, some in found.items()}
    pictures = dict(zip(paths, read_squares(images, paths, SHEET_SIDE, workers=1), strict=True))
    return audit_sheet(shown, totals, pictures)


def draw_predictions(
    scored: Predicted, classes: list[str], split: str, params: PlotParams
) -> dict[str, Figure]:
    """A seeded choice of predictions, and the most confident wrong ones."""
    from facial_expression.plot.sheets import choose, hardest, prediction_sheet

    total = len(scored.images)
    mistakes = int((scored.actual != scored.predicted).sum())
    some = choose(total, params.predictions, params.seed)
    worst = hardest(scored, params.predictions)
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
    }


def draw_confused(
    path: Path, scored: Predicted, classes: list[str], split: str, params: PlotParams
) -> Figure:
    """A seeded choice of the pictures of each of the most confused pairs."""
    from facial_expression.plot.sheets import choose, confused_sheet

    labels, pictures = [], []
    for actual, guess, count, share in tables.confused_pairs(path, classes)[:PAIRS]:
        rows = np.flatnonzero((scored.actual == actual) & (scored.predicted == guess))
        rows = rows[choose(len(rows), params.pictures_per_class, params.seed)]
        labels.append(f"{classes[actual]}\nas {classes[guess]}\n{count:,} ({100 * share:.0f} %)")
        pictures.append(scored.images[rows])
    title = f"The most confused classes on {split}: actual, as predicted, count (share of actual)"
    return confused_sheet(labels, pictures, params.pictures_per_class, title)


def draw_saliency(path: Path, scored: Predicted, classes: list[str], split: str) -> Figure:
    """Grad-CAM over a seeded choice of right and wrong predictions."""
    from facial_expression.plot.saliency_sheet import saliency_sheet

    explained = saliency_file.read(path)
    right = int((scored.actual == scored.predicted).sum())
    totals = right, len(scored.images) - right
    return saliency_sheet(classes, scored[explained.rows], explained.maps, totals, split)


def read_predictions(path: Path, arrays: Path, classes: list[str], split: str) -> Predicted:
    """The scored pictures; the table's rows must be the arrays' rows."""
    from facial_expression.plot.sheets import Predicted

    paths, predicted, probabilities = tables.predictions(path, classes)
    pictures = read_split(arrays, split)
    if paths != pictures.paths:
        raise DatasetError(
            f"{path}: expected the {len(pictures)} pictures of {arrays / split} in their order, "
            f"found {len(paths)} other rows; run evaluate again"
        )
    return Predicted(pictures.images, pictures.labels, predicted, probabilities)


if __name__ == "__main__":
    run(main)
