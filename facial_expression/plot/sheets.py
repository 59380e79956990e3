"""Sheets of pictures: samples of each class, and predictions beside labels.  Arrays -> Figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from facial_expression.plot.style import INK, PALE, WIDTH, bare, styled

Pictures = npt.NDArray[np.uint8]
MOST_BARS = 7
"""Probabilities drawn beside a picture; of more classes the largest ones are shown."""
COLUMNS = 3
"""Pictures side by side on a sheet of predictions; what follows is in inches."""
MARGIN, HEAD, CELL, PICTURE, BAR = 0.1, 0.62, 1.3, 0.95, 0.58


@dataclass(frozen=True)
class Predicted:
    """Pictures with what the network said of them.

    images (N, S, S) uint8; actual and predicted (N,) int64 labels; probabilities (N, K) in [0, 1].
    """

    images: Pictures
    actual: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]

    def __getitem__(self, rows: npt.ArrayLike) -> Predicted:
        """These rows, in this order."""
        index = np.asarray(rows, np.intp)  # an empty list would make a float index
        return Predicted(
            self.images[index], self.actual[index], self.predicted[index], self.probabilities[index]
        )


def choose_by_class(
    labels: npt.NDArray[np.int64], classes: int, each: int, seed: int
) -> list[list[int]]:
    """Up to `each` rows of every class, drawn without replacement, in ascending order.

    Every class has a generator of its own, so one class's pictures do not depend on another's.
    """
    chosen = []
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        take = min(each, len(rows))
        drawn = np.random.default_rng([seed, label]).choice(rows, take, replace=False)
        chosen.append(sorted(drawn.tolist()))
    return chosen


def choose(total: int, number: int, seed: int) -> list[int]:
    """Up to `number` rows of `total`, drawn without replacement, in ascending order."""
    drawn = np.random.default_rng(seed).choice(total, min(number, total), replace=False)
    return sorted(drawn.tolist())


def hardest(scored: Predicted, number: int) -> list[int]:
    """Up to `number` rows of wrong predictions, the most confident first; ties in row order."""
    wrong = np.flatnonzero(scored.actual != scored.predicted)
    confidence = scored.probabilities[wrong, scored.predicted[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")][:number].tolist()


@styled
def sample_sheet(
    classes: Sequence[str], pictures: Sequence[Pictures], totals: Sequence[int]
) -> Figure:
    """One row of pictures a class.

    Args:
        classes: names, from top to bottom.
        pictures: of each class, (N, S, S) uint8, N from 0; rows may differ in N.
        totals: how many pictures of each class there are to choose from.
    """
    labels = [f"{name}\nn = {total:,}" for name, total in zip(classes, totals, strict=True)]
    shown = sum(len(row) for row in pictures)
    title = f"Training pictures by label: {shown:,} drawn at random from {sum(totals):,}"
    return _rows_of_pictures(labels, pictures, max(1, *map(len, pictures)), title)


@styled
def confused_sheet(
    labels: Sequence[str], pictures: Sequence[Pictures], columns: int, title: str
) -> Figure:
    """One row of pictures for each pair of classes that is confused; without a pair it says so.

    Args:
        labels: what stands beside each row.
        pictures: of each row, (N, S, S) uint8, N from 1 to `columns`; rows may differ in N.
        columns: how many pictures there is room for, so that a single one is not drawn large.
        title: of the sheet.
    """
    if pictures:
        return _rows_of_pictures(labels, pictures, columns, title)
    figure = Figure(figsize=(WIDTH, HEAD))
    figure.text(MARGIN / WIDTH, 0.55, title, fontsize=10)
    figure.text(MARGIN / WIDTH, 0.2, "none")
    return figure


def _rows_of_pictures(
    labels: Sequence[str], pictures: Sequence[Pictures], columns: int, title: str
) -> Figure:
    side = pictures[0].shape[1]
    gap = max(1, side // 12)
    pitch = side + gap
    sheet = np.full((len(labels) * pitch - gap, columns * pitch - gap), 255, np.uint8)
    for row, images in enumerate(pictures):
        for column, image in enumerate(images):
            top, left = row * pitch, column * pitch
            sheet[top : top + side, left : left + side] = image
    figure = Figure(
        figsize=(WIDTH, 0.5 + (WIDTH - 1.1) * sheet.shape[0] / sheet.shape[1]),
        layout=ConstrainedLayoutEngine(w_pad=0.08),  # inches
    )
    axes = figure.add_subplot()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    axes.set_yticks(np.arange(len(labels)) * pitch + side / 2, labels)
    axes.set_xticks([])
    bare(axes)
    axes.set_title(title)
    return figure


@styled
def prediction_sheet(classes: Sequence[str], shown: Predicted, title: str, colour: str) -> Figure:
    """Each picture with its label, the predicted class and the probabilities as bars.

    The actual class's bar is filled with `colour` and its name is bold.  A sheet of no picture says
    so.  One axes measured in inches holds everything: forty axes would take seconds to lay out.
    """
    rows = -(-len(shown.images) // COLUMNS)
    height = HEAD + max(rows * CELL, 0.5)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(MARGIN, 0.2, title, fontsize=10)
    if rows:
        key = "Bars: probability, the grey line is 1. Bold and dark: the actual class."
        axes.text(MARGIN, 0.38, key, fontsize=7.5)
    else:
        axes.text(MARGIN, 0.55, "none")
    for index in range(len(shown.images)):
        row, column = divmod(index, COLUMNS)
        left = MARGIN + column * (WIDTH - MARGIN) / COLUMNS
        _draw_cell(axes, (left, HEAD + row * CELL), classes, shown, index, colour)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), aspect="auto")
    return figure


def _draw_cell(
    axes: Axes,
    corner: tuple[float, float],
    classes: Sequence[str],
    shown: Predicted,
    index: int,
    colour: str,
) -> None:
    left, top = corner
    actual, predicted = int(shown.actual[index]), int(shown.predicted[index])
    probabilities = shown.probabilities[index]
    mark = "\N{CHECK MARK}" if actual == predicted else "\N{BALLOT X}"
    share = percent(probabilities[predicted])
    said = f"predicted {shortened(classes[predicted], 16)}, {share} {mark}"
    axes.text(left, top, f"actual {shortened(classes[actual], 16)}", fontsize=7.5)
    axes.text(left, top + 0.13, said, fontsize=7.5)
    top += 0.19
    extent = (left, left + PICTURE, top + PICTURE, top)
    axes.imshow(shown.images[index], cmap="gray", vmin=0, vmax=255, extent=extent)
    base = left + PICTURE + 0.68
    labels = _bars_of(probabilities, actual)
    pitch = PICTURE / len(labels)
    for place, label in enumerate(labels):
        middle = top + (place + 0.5) * pitch
        is_actual = label == actual
        axes.barh(
            middle,
            probabilities[label] * BAR,
            pitch * 0.72,
            left=base,
            color=colour if is_actual else PALE,
        )
        axes.text(
            base - 0.04,
            middle,
            shortened(classes[label], 11),
            ha="right",
            va="center_baseline",
            fontsize=6.5,
            fontweight="bold" if is_actual else "normal",
        )
    axes.vlines([base, base + BAR], top, top + PICTURE, [INK, "#dddddd"], linewidth=0.7)


def _bars_of(probabilities: npt.NDArray[np.float64], actual: int) -> list[int]:
    """The labels to draw, in label order: the most probable ones, and always the actual one."""
    order = np.argsort(-probabilities, kind="stable").tolist()
    order.remove(actual)
    return sorted([actual, *order[: MOST_BARS - 1]])


def percent(probability: float) -> str:
    """A probability in words; only certainty is called 100 %."""
    return "over 99 %" if 0.995 <= probability < 1 else f"{100 * probability:.0f} %"


def shortened(name: str, most: int) -> str:
    """The name, its end cut off if it has more than `most` signs."""
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
