"""The sheet of saliency maps: pictures beside where the network found its evidence."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facial_expression.plot.sheets import Pictures, Predicted, percent, shortened
from facial_expression.plot.style import PALE, WIDTH, styled

MARGIN, HEAD, NAMES, GAP, CAPTION = 0.1, 0.78, 0.78, 0.1, 0.22
"""Inches, as are all places on the sheet."""
OPACITY = 0.5
"""Of the colours, so that the face stays visible under them."""
COLOURS = matplotlib.colormaps["inferno"]
"""Lightness alone carries the value: a grey print and a colour-blind reader see the same."""


@styled
def saliency_sheet(
    classes: Sequence[str], shown: Predicted, maps: Pictures, totals: tuple[int, int], split: str
) -> Figure:
    """Each picture, and beside it the same one under its map: a row a class, right before wrong.

    Args:
        classes: names in label order, from top to bottom.
        shown: the pictures (N, S, S), N from 0.
        maps: uint8 (N, S, S), 255 where most spoke for the predicted class.
        totals: how many right and how many wrong predictions there are to choose from.
        split: the split that was scored, for the title.
    """
    wrong = shown.actual != shown.predicted
    groups = [
        [np.flatnonzero((shown.actual == label) & (wrong == kind)) for kind in (False, True)]
        for label in range(len(classes))
    ]
    columns = max([1, *(len(rows) for group in groups for rows in group)])
    cell = (WIDTH - NAMES - MARGIN - GAP) / (2 * columns)
    side = (cell - GAP) / 2
    height = HEAD + len(classes) * (side + CAPTION)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    starts = NAMES, NAMES + columns * cell + GAP
    axes.text(
        MARGIN, 0.2, f"Where the network found its prediction (Grad-CAM, {split})", fontsize=10
    )
    _draw_key(axes)
    for kind, name in enumerate(("right", "wrong")):
        heading = f"{name}: {int((wrong == kind).sum())} of {totals[kind]:,} drawn at random"
        axes.text(starts[kind], HEAD - 0.09, heading, fontsize=8)
    axes.vlines(starts[1] - GAP, HEAD - 0.2, height - 0.05, PALE, linewidth=0.7)
    for label, group in enumerate(groups):
        top = HEAD + label * (side + CAPTION)
        axes.text(MARGIN, top + side / 2, shortened(classes[label], 12), fontsize=8.5, va="center")
        for start, rows in zip(starts, group, strict=True):
            if not len(rows):
                axes.text(start, top + side / 2, "none", fontsize=7.5, va="center")
            for column, row in enumerate(rows):
                left = start + column * cell
                _draw_picture(axes, (left, top), side, shown.images[row])
                _draw_picture(axes, (left + side, top), side, overlay(shown.images[row], maps[row]))
                guess = int(shown.predicted[row])
                share = percent(shown.probabilities[row, guess])
                said = f"{shortened(classes[guess], 11)}, {share}"
                axes.text(left, top + side + 0.11, said, fontsize=6.5)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), aspect="auto")
    return figure


def overlay(image: Pictures, heat: Pictures) -> Pictures:
    """A grey picture (S, S) under the colours of its map (S, S); uint8 (S, S, 3)."""
    colours = COLOURS(heat)[..., :3] * 255
    return np.rint((1 - OPACITY) * image[..., None] + OPACITY * colours).astype(np.uint8)


def _draw_key(axes: Axes) -> None:
    """What rows, captions and colours mean."""
    says = "Rows: label. Captions: predicted class and its probability. Spoke for that class:"
    axes.text(MARGIN, 0.4, says, fontsize=7.5)
    ramp = np.arange(256, dtype=np.uint8)[None]
    left, right = WIDTH - 2.15, WIDTH - 1.15
    axes.text(left - 0.06, 0.4, "nothing", fontsize=7.5, ha="right")
    axes.imshow(overlay(np.full_like(ramp, 128), ramp), extent=(left, right, 0.41, 0.32))
    axes.text(right + 0.06, 0.4, "most", fontsize=7.5)


def _draw_picture(axes: Axes, corner: tuple[float, float], side: float, picture: Pictures) -> None:
    """A grey or coloured picture in a square whose upper left corner is given."""
    left, top = corner
    extent = (left, left + side, top + side, top)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=extent)
