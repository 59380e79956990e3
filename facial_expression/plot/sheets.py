"""Sheets of pictures: samples, predictions, confused classes, audit findings, saliency maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from facial_expression.core.arrays import Saliency, choose
from facial_expression.plot.style import PALE, WIDTH, styled

Pictures = npt.NDArray[np.uint8]
MARGIN, GAP, LINE = 0.1, 0.07, 0.11
"""Inches: around everything, between cells, a line of text in a cell."""
OPACITY = 0.5
"""Of a saliency map's colours, so that the face stays visible under them."""
COLOURS = matplotlib.colormaps["inferno"]
"""Of saliency maps.  Lightness alone carries the value, as a grey print shows it."""


@dataclass(frozen=True)
class Predicted:
    """Pictures with the network's predictions.

    images (N, S, S) uint8; actual and predicted (N,) int64 labels; probabilities (N, K) in [0, 1].
    """

    images: Pictures
    actual: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]

    def __getitem__(self, rows: npt.NDArray[np.integer]) -> Predicted:
        """These rows, in this order."""
        return Predicted(*(array[rows] for array in vars(self).values()))


@dataclass(frozen=True)
class Cell:
    """Pictures side by side, uint8, grey (S, S) or coloured (S, S, 3), and the text below them."""

    pictures: Sequence[Pictures] = ()
    lines: Sequence[str] = ()


def hardest(scored: Predicted) -> npt.NDArray[np.intp]:
    """The rows of wrong predictions, the most confident first; ties in row order."""
    wrong = np.flatnonzero(scored.actual != scored.predicted)
    confidence = scored.probabilities[wrong, scored.predicted[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")]


def shortened(name: str, most: int) -> str:
    """The name, its end cut off if it has more than `most` signs."""
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


@styled
def sheet(
    title: str, rows: Sequence[tuple[str, Sequence[Cell]]], columns: int, note: str = ""
) -> Figure:
    """Rows of cells, each beside its label; "none" without a cell.

    There is room for `columns` cells, so that a single one is not drawn large; a row of more goes
    on below.
    """
    figure = Figure(figsize=(WIDTH, 1))
    axes = figure.add_axes((0, 0, 1, 1))  # in inches: an axes a picture would take seconds
    axes.set_axis_off()
    axes.text(MARGIN, 0.22, title, fontsize=10)
    axes.text(MARGIN, 0.41, note, fontsize=7.5)
    top = 0.54 if note else 0.36
    cells = [cell for _, row in rows for cell in row]
    if not cells:
        axes.text(MARGIN, top + 0.1, "none")
        rows = ()
    names = 1.25 if any(label for label, _ in rows) else MARGIN
    pitch = (WIDTH - names - MARGIN + GAP) / columns
    side = (pitch - GAP) / max([1, *(len(cell.pictures) for cell in cells)])
    step = side + GAP + LINE * max([0, *(len(cell.lines) for cell in cells)])
    for label, row in rows:
        said = "\n".join(shortened(line, 16) for line in label.split("\n"))
        axes.text(names - GAP, top + side / 2, said, fontsize=8.5, ha="right", va="center")
        for start in range(0, max(1, len(row)), columns):
            for column, cell in enumerate(row[start : start + columns]):
                left = names + column * pitch
                for place, picture in enumerate(cell.pictures):
                    x = left + place * side
                    extent = (x, x + side, top + side, top)
                    axes.imshow(picture, "gray", vmin=0, vmax=255, extent=extent, aspect="auto")
                    # a white picture would not show on the white page
                    axes.add_patch(Rectangle((x, top), side, side, fill=False, ec=PALE, lw=0.4))
                lines = "\n".join(shortened(line, int(22 * pitch)) for line in cell.lines)
                axes.text(left, top + side + 0.03, lines, fontsize=6.5, va="top")
            top += step
    height = max(top, 0.8)
    figure.set_figheight(height)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    return figure


def prediction_sheets(
    classes: Sequence[str], scored: Predicted, number: int, seed: int, split: str
) -> dict[str, Figure]:
    """By name: predictions drawn at random, and the most confident wrong ones; `number` of each."""
    n, wrong = len(scored.images), hardest(scored)
    some, worst = choose(np.arange(n), number, seed), wrong[:number]
    random = f"Predictions for {len(some):,} pictures drawn at random from {n:,} of {split}"
    most = f"The {len(worst):,} most confident of {len(wrong):,} " if len(worst) else "No "
    mistakes = f"{most}wrong predictions on {split} (n = {n:,})"
    return {
        "predictions": _prediction_sheet(classes, scored[some], random),
        "hardest_mistakes": _prediction_sheet(classes, scored[worst], mistakes),
    }


def _prediction_sheet(classes: Sequence[str], shown: Predicted, title: str) -> Figure:
    cells = []
    for row, image in enumerate(shown.images):
        lines, actual = [caption(classes, shown, row)], shown.actual[row]
        if actual != shown.predicted[row]:
            share = percent(shown.probabilities[row, actual])
            lines.append(f"actual {shortened(classes[actual], 11)}, {share}")
        cells.append(Cell([image], lines))
    note = "The prediction and its probability; if it is wrong, also those of the actual class."
    return sheet(title, [("", cells)], 6, note)


def audit_sheet(
    shown: pd.DataFrame, totals: Mapping[str, int], pictures: Mapping[str, Pictures]
) -> Figure:
    """Findings of each kind, pairs side by side, with score, label and file name.

    `shown` are rows of audit.csv, kinds from top to bottom, and `totals` how many findings of each
    of these kinds there are.  `pictures` are squares, uint8 (S, S), by path.
    """
    rows = []
    for kind, found in shown.groupby("kind", sort=False):
        cells = []
        for finding in found.itertuples():
            paths = [path for path in (finding.path, finding.partner) if path]
            names = [line for path in paths for line in path.replace("/", " ", 1).split("/")]
            images = [pictures[path] for path in paths]
            cells.append(Cell(images, [f"score {finding.score:.3f}", *names]))
        label = f"{kind}\nfirst {len(cells):,} of {totals[kind]:,}"
        rows.append((label.replace("_", "\n"), cells))
    return sheet(f"Findings of the audit (n = {sum(totals.values()):,})", rows, 4)


def saliency_sheet(
    classes: Sequence[str], scored: Predicted, explained: Saliency, split: str
) -> Figure:
    """Each picture, and beside it the same one under its saliency map; a row an actual class.

    `explained` are maps of some of the pictures; right predictions stand on the left of wrong ones.
    """
    shown = scored[explained.rows]
    cells = [
        Cell([image, overlay(image, heat)], [caption(classes, shown, row)])
        for row, (image, heat) in enumerate(zip(shown.images, explained.maps, strict=True))
    ]
    right = shown.actual == shown.predicted
    labels = range(len(classes))
    good, bad = (
        [[cells[row] for row in np.flatnonzero(kind & (shown.actual == k))] for k in labels]
        for kind in (right, ~right)
    )
    most = max(map(len, good))
    columns = max(1, most + max(map(len, bad)))
    rows = [
        (name, [*ones, *[Cell()] * (most - len(ones)), *twos])
        for name, ones, twos in zip(classes, good, bad, strict=True)
    ]
    total, all_wrong = len(scored.images), len(hardest(scored))
    note = (
        f"Drawn at random: {right.sum()} of {total - all_wrong:,} right predictions, then "
        f"{(~right).sum()} of {all_wrong:,} wrong ones, by actual class. Bright: more evidence."
    )
    title = f"Where the network found its prediction (Grad-CAM, {split})"
    return sheet(title, rows, columns, note)


def caption(classes: Sequence[str], shown: Predicted, row: int) -> str:
    """The prediction of a row, marked as right or wrong."""
    guess = shown.predicted[row]
    mark = "\N{CHECK MARK}" if guess == shown.actual[row] else "\N{BALLOT X}"
    return f"{mark} {shortened(classes[guess], 11)}, {percent(shown.probabilities[row, guess])}"


def percent(probability: float) -> str:
    """A probability in percent; only certainty is called 100 %."""
    return "over 99 %" if 0.995 <= probability < 1 else f"{100 * probability:.0f} %"


def overlay(image: Pictures, heat: Pictures) -> Pictures:
    """A grey picture (S, S) under the colours of its saliency map (S, S); uint8 (S, S, 3)."""
    colours = COLOURS(heat)[..., :3] * 255
    return np.rint((1 - OPACITY) * image[..., None] + OPACITY * colours).astype(np.uint8)
