"""Sheets of pictures: samples, predictions, confused classes, audit findings, saliency maps.

Most sheets are one axes measured in inches, y downwards: an axes a picture would take seconds to
lay out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from facial_expression.plot.style import INK, PALE, WIDTH, styled

Pictures = npt.NDArray[np.uint8]
Corner = tuple[float, float]
"""Left and top edge, in inches."""
MARGIN = 0.1
"""Inches, left of everything."""
MOST_BARS = 7
"""Probabilities drawn beside a picture; of more classes the largest ones are shown."""
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


def hardest(scored: Predicted) -> npt.NDArray[np.intp]:
    """The rows of wrong predictions, the most confident first; ties in row order."""
    wrong = np.flatnonzero(scored.actual != scored.predicted)
    confidence = scored.probabilities[wrong, scored.predicted[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")]


def blank(height: float) -> tuple[Figure, Axes]:
    """A sheet of this height and the width of a page, and its axes; all in inches."""
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    return figure, axes


def put(axes: Axes, corner: Corner, side: float, picture: Pictures) -> None:
    """Draw a grey (S, S) or coloured (S, S, 3) picture in a square of `side` inches."""
    left, top = corner
    extent = (left, left + side, top + side, top)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
    line = Rectangle(corner, side, side, fill=False, edgecolor=PALE, linewidth=0.4, clip_on=False)
    axes.add_patch(line)  # a white picture would not show on the white page


def percent(probability: float) -> str:
    """A probability in percent; only certainty is called 100 %."""
    return "over 99 %" if 0.995 <= probability < 1 else f"{100 * probability:.0f} %"


def shortened(name: str, most: int) -> str:
    """The name, its end cut off if it has more than `most` signs."""
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


@styled
def rows_of_pictures(
    labels: Sequence[str], pictures: Sequence[Pictures], columns: int, title: str
) -> Figure:
    """A sheet of rows of pictures, each row uint8 (N, S, S) beside its label; "none" without a row.

    There is room for `columns` pictures, so that a single one is not drawn large; N may differ.
    """
    head, names, gap = 0.36, 1.25, 0.07
    pitch = (WIDTH - names - MARGIN + gap) / columns
    side = pitch - gap
    figure, axes = blank(head + max(len(labels) * pitch, 0.26))
    axes.text(MARGIN, 0.22, title, fontsize=10)
    if not labels:
        axes.text(MARGIN, head + 0.1, "none")
    for row, (label, images) in enumerate(zip(labels, pictures, strict=True)):
        top = head + row * pitch
        said = "\n".join(shortened(line, 16) for line in label.split("\n"))
        axes.text(names - gap, top + side / 2, said, fontsize=8.5, ha="right", va="center")
        for column, image in enumerate(images):
            put(axes, (names + column * pitch, top), side, image)
    return figure


@styled
def prediction_sheet(classes: Sequence[str], shown: Predicted, title: str, colour: str) -> Figure:
    """Each picture with its label, the predicted class and the probabilities as bars.

    The bar of the actual class has `colour`, and its name is bold.
    """
    columns, head, cell = 3, 0.62, 1.3
    rows = -(-len(shown.images) // columns)
    figure, axes = blank(head + max(rows * cell, 0.5))
    axes.text(MARGIN, 0.2, title, fontsize=10)
    key = "Bars: probability, the grey line is 1. Bold and dark: the actual class."
    axes.text(MARGIN, 0.38, key if rows else "none", fontsize=7.5)
    for index in range(len(shown.images)):
        row, column = divmod(index, columns)
        corner = MARGIN + column * (WIDTH - MARGIN) / columns, head + row * cell
        _draw_prediction(axes, corner, classes, shown, index, colour)
    return figure


def _draw_prediction(
    axes: Axes, corner: Corner, classes: Sequence[str], shown: Predicted, index: int, colour: str
) -> None:
    side, bar = 0.95, 0.58
    left, top = corner
    actual, predicted = int(shown.actual[index]), int(shown.predicted[index])
    probabilities = shown.probabilities[index]
    mark = "\N{CHECK MARK}" if actual == predicted else "\N{BALLOT X}"
    said = f"{shortened(classes[predicted], 16)}, {percent(probabilities[predicted])} {mark}"
    axes.text(left, top, f"actual {shortened(classes[actual], 16)}", fontsize=7.5)
    axes.text(left, top + 0.13, f"predicted {said}", fontsize=7.5)
    top += 0.19
    put(axes, (left, top), side, shown.images[index])
    base = left + side + 0.68
    others = np.argsort(-probabilities, kind="stable").tolist()
    others.remove(actual)
    labels = sorted([actual, *others[: MOST_BARS - 1]])
    pitch = side / len(labels)
    for place, label in enumerate(labels):
        middle = top + (place + 0.5) * pitch
        fill, weight = (colour, "bold") if label == actual else (PALE, "normal")
        axes.barh(middle, probabilities[label] * bar, pitch * 0.72, left=base, color=fill)
        name, anchor = shortened(classes[label], 11), {"ha": "right", "va": "center_baseline"}
        axes.text(base - 0.04, middle, name, anchor, fontsize=6.5, fontweight=weight)
    axes.vlines([base, base + bar], top, top + side, [INK, "#dddddd"], linewidth=0.7)


@styled
def audit_sheet(
    shown: pd.DataFrame, totals: Mapping[str, int], pictures: Mapping[str, Pictures]
) -> Figure:
    """Findings of each kind, pairs side by side, with score, label and file name.

    `shown` are rows of audit.csv, kinds from top to bottom, and `totals` how many findings of each
    of these kinds there are.  `pictures` are squares, uint8 (S, S), by path.
    """
    columns, head, heading, cell, side = 4, 0.5, 0.26, 1.22, 0.78
    kinds = list(shown.groupby("kind", sort=False))
    heights = [heading + cell * -(-len(rows) // columns) for _, rows in kinds]
    figure, axes = blank(head + max(sum(heights), 0.3))
    axes.text(MARGIN, 0.24, f"Findings of the audit (n = {sum(totals.values()):,})", fontsize=10)
    if not kinds:
        axes.text(MARGIN, head, "none")
    top = head
    for (kind, rows), height in zip(kinds, heights, strict=True):
        title = f"{kind.replace('_', ' ')}: the first {len(rows):,} of {totals[kind]:,}"
        axes.text(MARGIN, top + 0.06, title, fontsize=8.5, fontweight="bold")
        for place, finding in enumerate(rows.itertuples()):
            row, column = divmod(place, columns)
            left, upper = MARGIN + column * (WIDTH - MARGIN) / columns, top + heading + row * cell
            axes.text(left, upper, f"score {finding.score:.3f}", fontsize=7)
            for number, path in enumerate(filter(None, (finding.path, finding.partner))):
                x, y = left + number * 0.81, upper + 0.04
                put(axes, (x, y), side, pictures[path])
                folder, label, name = path.split("/")
                axes.text(x, y + side + 0.11, shortened(f"{folder} {label}", 17), fontsize=6.5)
                axes.text(x, y + side + 0.21, shortened(name, 22), fontsize=5)
        top += height
    return figure


@styled
def saliency_sheet(
    classes: Sequence[str], shown: Predicted, maps: Pictures, totals: tuple[int, int], split: str
) -> Figure:
    """Each picture, and beside it the same one under its saliency map; a row a class.

    Right predictions stand on the left of wrong ones; `totals` says how many of both there are.
    `maps` are uint8 (N, S, S), 255 where most spoke for the predicted class.
    """
    head, names, gap, caption = 0.78, 0.78, 0.1, 0.22
    wrong = shown.actual != shown.predicted
    groups = [
        [np.flatnonzero((shown.actual == label) & (wrong == kind)) for kind in (False, True)]
        for label in range(len(classes))
    ]
    columns = max([1, *(len(rows) for group in groups for rows in group)])
    cell = (WIDTH - names - MARGIN - gap) / (2 * columns)
    side = (cell - gap) / 2
    height = head + len(classes) * (side + caption)
    figure, axes = blank(height)
    starts = names, names + columns * cell + gap
    axes.text(
        MARGIN, 0.2, f"Where the network found its prediction (Grad-CAM, {split})", fontsize=10
    )
    says = "Rows: label. Captions: predicted class and its probability. Spoke for that class:"
    axes.text(MARGIN, 0.4, says, fontsize=7.5)
    left, right = WIDTH - 2.15, WIDTH - 1.15
    axes.text(left - 0.06, 0.4, "nothing", fontsize=7.5, ha="right")
    axes.text(right + 0.06, 0.4, "most", fontsize=7.5)
    ramp = np.arange(256, dtype=np.uint8)[None]
    key = overlay(np.full_like(ramp, 128), ramp)
    axes.imshow(key, extent=(left, right, 0.41, 0.32), aspect="auto")
    for start, kind, name in zip(starts, (False, True), ("right", "wrong"), strict=True):
        heading = f"{name}: {int((wrong == kind).sum())} of {totals[kind]:,} drawn at random"
        axes.text(start, head - 0.09, heading, fontsize=8)
    axes.vlines(starts[1] - gap, head - 0.2, height - 0.05, PALE, linewidth=0.7)
    for label, group in enumerate(groups):
        top = head + label * (side + caption)
        axes.text(MARGIN, top + side / 2, shortened(classes[label], 12), fontsize=8.5, va="center")
        for start, rows in zip(starts, group, strict=True):
            if not len(rows):
                axes.text(start, top + side / 2, "none", fontsize=7.5, va="center")
            for column, row in enumerate(rows):
                left = start + column * cell
                put(axes, (left, top), side, shown.images[row])
                put(axes, (left + side, top), side, overlay(shown.images[row], maps[row]))
                guess = shown.predicted[row]
                share = percent(shown.probabilities[row, guess])
                said = f"{shortened(classes[guess], 11)}, {share}"
                axes.text(left, top + side + 0.11, said, fontsize=6.5)
    return figure


def overlay(image: Pictures, heat: Pictures) -> Pictures:
    """A grey picture (S, S) under the colours of its saliency map (S, S); uint8 (S, S, 3)."""
    colours = COLOURS(heat)[..., :3] * 255
    return np.rint((1 - OPACITY) * image[..., None] + OPACITY * colours).astype(np.uint8)
