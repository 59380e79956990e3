"""The plot stage: read the tables and pictures of a run, draw its figures."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.arrays import choose, read_saliency, read_split
from facial_expression.core.errors import DatasetError, damaged
from facial_expression.core.files import read_json
from facial_expression.core.labels import read_classes
from facial_expression.core.params import CLOSED, Seed
from facial_expression.core.tables import Columns, read_table
from facial_expression.pictures.squares import read_squares
from facial_expression.plot import figures, sheets
from facial_expression.plot.style import fonts_for

PAIRS = 6
"""Pairs of confused classes whose pictures are shown."""
SIDE = 96
"""Pixels of the audit sheet's pictures; more than FER2013's, for data sets of larger ones."""
SCORES = ("loss", "val_loss", "accuracy", "val_accuracy")
COLUMNS: dict[str, Columns] = {
    "audit": {"path": str, "kind": str, "partner": str, "score": float},
    "history": {"epoch": int, **dict.fromkeys(SCORES, float)},
    "confusion": {"actual": str, "predicted": str},
    "confused_pairs": {"actual": str, "predicted": str, "count": int, "share_of_actual": float},
    "reliability": {"when": str, "binning": str, "n": int, "confidence": float, "accuracy": float},
}
"""The columns that the figures need of a table, by the name of its file."""


@dataclass(frozen=True, config=CLOSED)
class PlotParameters:
    """Section `plot` of params.yaml."""

    dpi: Annotated[int, Field(ge=50, le=600)]
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]  # of the charts
    pictures_per_class: Annotated[int, Field(ge=1, le=40)]  # of samples, and of confused classes
    predictions: Annotated[int, Field(ge=1, le=60)]  # pictures; and as many mistakes
    findings_per_kind: Annotated[int, Field(ge=1, le=40)]  # pictures or pairs
    seed: Seed  # of the choice of pictures


@damaged("the tables and arrays of earlier stages", "dvc repro -f")
def draw(
    params: PlotParameters,
    images: Path,
    index: Path,
    arrays: Path,
    history: Path,
    evaluation: Path,
) -> dict[str, Figure]:
    """Draw every figure of the stage; by their names.

    `images` is images.zip, `history` is history.csv, and the others are folders of stages.  Scores
    are those of the split that evaluate reports: test if it was scored, else val.

    Raises:
        DatasetError: a table is missing, damaged, or not of the pictures in `arrays`.
        ArchiveError: a picture of the audit is not in `images`.
    """
    classes = read_classes(arrays / "classes.json")
    report_boxes(classes)
    scores = read_json(evaluation / "scores.json", "the evaluate stage")
    split = scores["reported_split"]
    scored = read_predictions(evaluation / "predictions" / f"{split}.csv", arrays, classes, split)
    names = "confusion", "confused_pairs", "reliability"
    confusion, pairs, bins = (read(evaluation / f"{name}.csv") for name in names)
    explained, colour = read_saliency(evaluation / "saliency.npz"), params.colour
    return {
        "curves": figures.curves(read(history), colour),
        "confusion": figures.confusion(confusion, classes, split, colour),
        "reliability": figures.reliability(bins, scores["calibration"], split, colour),
        **sheets.prediction_sheets(classes, scored, params.predictions, params.seed, split),
        "sample_sheet": draw_samples(arrays, classes, params),
        "audit_sheet": draw_findings(index / "audit.csv", images, params.findings_per_kind),
        "confused_pairs": draw_confused(pairs.head(PAIRS), scored, classes, split, params),
        "saliency": sheets.saliency_sheet(classes, scored, explained, split),
    }


def read(path: Path) -> pd.DataFrame:
    """Read a table of `COLUMNS`; a DatasetError if it is missing or incomplete."""
    empty = path.stem in ("audit", "confused_pairs")  # these may have no row
    return read_table(path, COLUMNS[path.stem], "dvc repro", empty)


def report_boxes(classes: Sequence[str]) -> None:
    """Name the classes that no installed font can write, in one line on stderr."""
    _, lacking = fonts_for("".join(classes))
    if names := [name for name in classes if lacking & set(name)]:
        print(
            f"note: no installed font can write the classes {', '.join(names)}, so the figures "
            "show boxes; install a font that can, such as Noto Sans CJK, or rename the classes",
            file=sys.stderr,
        )


def read_predictions(
    path: Path, arrays: Path, classes: Sequence[str], split: str
) -> sheets.Predicted:
    """The scored pictures; the rows of the table must be those of the arrays."""
    columns = {"path": str, "predicted": str, **dict.fromkeys(classes, float)}
    table = read_table(path, columns, "the evaluate stage")
    pictures = read_split(arrays, split, classes)
    if table["path"].tolist() != pictures.paths:
        raise DatasetError(
            f"{path}: expected the {len(pictures)} pictures of {arrays / split} in their order, "
            f"found {len(table)} other rows; run evaluate again"
        )
    guesses = table["predicted"].map(classes.index).to_numpy()
    images, probabilities = np.asarray(pictures.images), table[[*classes]].to_numpy()
    return sheets.Predicted(images, pictures.labels, guesses, probabilities)


def draw_samples(arrays: Path, classes: Sequence[str], params: PlotParameters) -> Figure:
    """Training pictures of each class, drawn at random; no class depends on the others."""
    train = read_split(arrays, "train", classes)
    rows = []
    for label, name in enumerate(classes):
        found = np.flatnonzero(train.labels == label)
        chosen = choose(found, params.pictures_per_class, [params.seed, label])
        cells = [sheets.Cell([picture]) for picture in train.images[chosen]]
        rows.append((f"{name}\nn = {len(found):,}", cells))
    title = f"Training pictures by label, drawn at random from {len(train):,}"
    return sheets.sheet(title, rows, params.pictures_per_class)


def draw_findings(path: Path, images: Path, each: int) -> Figure:
    """The first `each` findings of every kind; audit.csv has the most important ones first."""
    found = read(path)
    shown = found.groupby("kind", sort=False).head(each)
    paths = sorted({*shown["path"], *shown["partner"]} - {""})
    pictures = dict(zip(paths, read_squares(images, paths, SIDE), strict=True))
    return sheets.audit_sheet(shown, found["kind"].value_counts().to_dict(), pictures)


def draw_confused(
    pairs: pd.DataFrame,
    scored: sheets.Predicted,
    classes: Sequence[str],
    split: str,
    params: PlotParameters,
) -> Figure:
    """Pictures of each pair of confused classes, drawn at random."""
    most, rows = params.pictures_per_class, []
    for pair in pairs.itertuples():
        actual, guess = classes.index(pair.actual), classes.index(pair.predicted)
        found = np.flatnonzero((scored.actual == actual) & (scored.predicted == guess))
        chosen = scored.images[choose(found, most, params.seed)]
        share = 100 * pair.share_of_actual
        label = f"{pair.actual}\nas {pair.predicted}\n{pair.count:,} ({share:.0f} %)"
        rows.append((label, [sheets.Cell([picture]) for picture in chosen]))
    title = f"The most confused classes on {split}: actual, as predicted, count (share of actual)"
    return sheets.sheet(title, rows, most)
