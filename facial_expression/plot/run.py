"""The plot stage: read the tables and pictures of a run, draw its figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.arrays import read_saliency, read_split
from facial_expression.core.errors import DatasetError
from facial_expression.core.files import write_bytes
from facial_expression.core.labels import read_classes
from facial_expression.core.params import CLOSED
from facial_expression.pictures.squares import read_squares
from facial_expression.plot import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from facial_expression.plot.sheets import Predicted

PAIRS = 6
"""Pairs of confused classes whose pictures are shown."""
SIDE = 96
"""Pixels of the audit sheet's pictures; more than FER2013's, for data sets of larger ones."""


@dataclass(frozen=True, config=CLOSED)
class PlotParameters:
    """Section `plot` of params.yaml.

    Attributes:
        dpi: pixels an inch.
        colour: of bars and of the training curve, #rrggbb.
        pictures_per_class: on the sheets of samples and of confused classes.
        predictions: pictures on the sheets of predictions and of mistakes.
        findings_per_kind: pictures or pairs on the audit sheet.
        seed: of the choice of pictures.
    """

    dpi: Annotated[int, Field(ge=50, le=600)]
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
    pictures_per_class: Annotated[int, Field(ge=1, le=40)]
    predictions: Annotated[int, Field(ge=1, le=60)]
    findings_per_kind: Annotated[int, Field(ge=1, le=40)]
    seed: Annotated[int, Field(ge=0)]


def plot(
    params: PlotParameters,
    images: Path,
    index: Path,
    arrays: Path,
    history: Path,
    evaluation: Path,
    out: Path,
) -> None:
    """Draw every figure of the stage and write each as a PNG file.

    Scores are those of the test split if it was evaluated, else of val.

    Args:
        params: see there.
        images: images.zip.
        index: folder of the index stage.
        arrays: folder of the preprocess stage.
        history: history.csv.
        evaluation: folder of the evaluate stage.
        out: folder to write to.

    Raises:
        DatasetError: a table is missing, damaged, or not of the pictures in `arrays`.
        ArchiveError: a picture of the audit is not in `images`.
    """
    from facial_expression.plot import sheets
    from facial_expression.plot.style import png

    classes = read_classes(arrays / "classes.json")
    split = scored_split(evaluation / "predictions")
    scored = read_predictions(evaluation / "predictions" / f"{split}.csv", arrays, classes, split)
    train = read_split(arrays, "train")
    chosen = sheets.choose_by_class(
        train.labels, len(classes), params.pictures_per_class, params.seed
    )
    totals = np.bincount(train.labels, minlength=len(classes)).tolist()
    saliency = read_saliency(evaluation / "saliency.npz")
    wrong = int((scored.actual != scored.predicted).sum())
    drawings = {
        **draw_charts(index, history, evaluation, classes, split, params.colour),
        **draw_predictions(scored, classes, split, params),
        "sample_sheet": sheets.sample_sheet(
            classes, [train.images[rows] for rows in chosen], totals
        ),
        "audit_sheet": draw_findings(index / "audit.csv", images, params.findings_per_kind),
        "confused_pairs": draw_confused(
            evaluation / "confused_pairs.csv", scored, classes, split, params
        ),
        "saliency": sheets.saliency_sheet(
            classes,
            scored[saliency.rows],
            saliency.maps,
            (len(scored.images) - wrong, wrong),
            split,
        ),
    }
    for name, figure in drawings.items():
        write_bytes(out / f"{name}.png", png(figure, params.dpi))


def scored_split(folder: Path) -> str:
    """The split whose scores are reported: test if it was evaluated, else val."""
    for split in ("test", "val"):
        if (folder / f"{split}.csv").is_file():
            return split
    raise DatasetError(f"{folder}: expected test.csv or val.csv, found neither; run evaluate")


def read_predictions(path: Path, arrays: Path, classes: Sequence[str], split: str) -> Predicted:
    """The scored pictures; the rows of the table must be those of the arrays."""
    from facial_expression.plot.sheets import Predicted

    columns = {"path": str, "predicted": str, **dict.fromkeys(classes, float)}
    table = tables.read(path, classes, columns)
    pictures = read_split(arrays, split)
    if table["path"].tolist() != pictures.paths:
        raise DatasetError(
            f"{path}: expected the {len(pictures)} pictures of {arrays / split} in their order, "
            f"found {len(table)} other rows; run evaluate again"
        )
    guesses = table["predicted"].map(classes.index).to_numpy()
    return Predicted(pictures.images, pictures.labels, guesses, table[[*classes]].to_numpy())


def draw_charts(
    index: Path, history: Path, evaluation: Path, classes: Sequence[str], split: str, colour: str
) -> dict[str, Figure]:
    """The figures that show numbers and no picture."""
    from facial_expression.plot import figures

    names = ("confusion", "per_class", "reliability", "risk_coverage")
    confusion, per_class, bins, curve = (
        tables.read(evaluation / f"{name}.csv", classes) for name in names
    )
    counts = tables.read(index / "class_counts.csv", classes)
    return {
        "class_counts": figures.class_counts(counts, classes, colour),
        "curves": figures.curves(tables.read(history, classes), colour),
        "confusion": figures.confusion(confusion, classes, split, colour),
        "per_class_f1": figures.per_class_f1(per_class, split, colour),
        "reliability": figures.reliability(bins, split, colour),
        "risk_coverage": figures.risk_coverage(curve, len(confusion), split, colour),
    }


def draw_findings(path: Path, images: Path, each: int) -> Figure:
    """The first `each` findings of every kind; audit.csv has the most important ones first."""
    from facial_expression.plot.sheets import audit_sheet

    found = tables.read(path, ())
    shown = found.groupby("kind", sort=False).head(each)
    paths = sorted({*shown["path"], *shown["partner"]} - {""})
    pictures = dict(zip(paths, read_squares(images, paths, SIDE, workers=1), strict=True))
    return audit_sheet(shown, found["kind"].value_counts().to_dict(), pictures)


def draw_predictions(
    scored: Predicted, classes: Sequence[str], split: str, params: PlotParameters
) -> dict[str, Figure]:
    """A seeded choice of predictions, and the most confident wrong ones."""
    from facial_expression.plot.sheets import choose, hardest, prediction_sheet

    total = len(scored.images)
    wrong = int((scored.actual != scored.predicted).sum())
    some = choose(total, params.predictions, params.seed)
    worst = hardest(scored, params.predictions)
    most = f"The {len(worst):,} most confident of {wrong:,} " if worst else "No "
    titles = {
        "predictions": f"Predictions for {len(some):,} pictures drawn at random from {total:,} "
        f"of {split}",
        "hardest_mistakes": f"{most}wrong predictions on {split} (n = {total:,})",
    }
    return {
        name: prediction_sheet(classes, scored[rows], titles[name], params.colour)
        for name, rows in (("predictions", some), ("hardest_mistakes", worst))
    }


def draw_confused(
    path: Path, scored: Predicted, classes: Sequence[str], split: str, params: PlotParameters
) -> Figure:
    """A seeded choice of the pictures of each of the most confused pairs."""
    from facial_expression.plot.sheets import choose, confused_sheet

    labels, pictures = [], []
    for pair in tables.read(path, classes).head(PAIRS).itertuples():
        actual, guess = classes.index(pair.actual), classes.index(pair.predicted)
        rows = np.flatnonzero((scored.actual == actual) & (scored.predicted == guess))
        rows = rows[choose(len(rows), params.pictures_per_class, params.seed)]
        share = 100 * pair.share_of_actual
        labels.append(f"{pair.actual}\nas {pair.predicted}\n{pair.count:,} ({share:.0f} %)")
        pictures.append(scored.images[rows])
    title = f"The most confused classes on {split}: actual, as predicted, count (share of actual)"
    return confused_sheet(labels, pictures, params.pictures_per_class, title)
