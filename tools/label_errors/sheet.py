"""A sheet of suspected label errors, for a person to judge.  Arrays -> Figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from facial_expression.plot.sheets import shortened
from facial_expression.plot.style import WIDTH, styled

COLUMNS = 5
MARGIN, HEAD, PICTURE, CELL = 0.1, 0.66, 1.05, 1.5  # inches
LONGEST = 14  # characters of a class name


@styled
def suspect_sheet(
    classes: Sequence[str],
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    suggested: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
    total: int,
) -> Figure:
    """The first suspects, most suspect first, each with its label and the suggested one.

    Args:
        classes: names in label order.
        images: uint8 (N, S, S), N from 0, already in order.
        labels: int64 (N,), positions in `classes`, as given.
        suggested: int64 (N,), what the network prefers.
        probabilities: float64 (N, K) in [0, 1], out of fold.
        total: how many suspects there are.
    """
    shown = len(images)
    height = HEAD + max(-(-shown // COLUMNS) * CELL, 0.3)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))  # measured in inches
    axes.set_axis_off()
    title = f"Suspected label errors: the {shown:,} most suspect of {total:,}"
    axes.text(MARGIN, 0.22, title, fontsize=10)
    key = "Number in label_errors.csv; the label as given, then (bold) the suggested one."
    axes.text(MARGIN, 0.42, key, fontsize=7.5)
    if not shown:
        axes.text(MARGIN, 0.72, "none")
    for index in range(shown):
        row, column = divmod(index, COLUMNS)
        left = MARGIN + column * (WIDTH - MARGIN) / COLUMNS
        top = HEAD + row * CELL
        said = [
            _said(classes, probabilities[index], choice[index]) for choice in (labels, suggested)
        ]
        axes.text(left, top, f"{index + 1}. {said[0]}", fontsize=7.5)
        axes.text(left, top + 0.13, said[1], fontsize=7.5, fontweight="bold")
        top += 0.19
        extent = (left, left + PICTURE, top + PICTURE, top)
        axes.imshow(images[index], cmap="gray", vmin=0, vmax=255, extent=extent)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), aspect="auto")
    return figure


def _said(classes: Sequence[str], probabilities: npt.NDArray[np.float64], label: int) -> str:
    return f"{shortened(classes[label], LONGEST)} {100 * probabilities[label]:.0f} %"
