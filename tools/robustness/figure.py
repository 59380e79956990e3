"""What a network withstands: accuracy by strength of corruption, and the corruptions themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from facial_expression.plot.style import INK, WIDTH, bare, styled, tint

COLUMNS = 4


@dataclass(frozen=True)
class Curve:
    """Accuracy under one corruption, by strength from 0 (none) on; all shares in [0, 1].

    Attributes:
        measure: what `values` are.
        values: of each strength from 1 on.
        accuracy: one a strength, the clean one first; as `low` and `high`, their 95 % intervals.
    """

    measure: str
    values: Sequence[float]
    accuracy: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@styled
def accuracy_by_strength(curves: Mapping[str, Curve], title: str, colour: str) -> Figure:
    """One panel a corruption with its accuracies, their intervals, and the clean accuracy."""
    rows = -(-len(curves) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.6 + 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    for axes, (name, curve) in zip(panels.flat, curves.items(), strict=False):
        _draw_curve(axes, name, curve, colour)
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy (%)")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def corruption_sheet(
    pictures: Mapping[str, npt.NDArray[np.uint8]], values: Mapping[str, Sequence[float]]
) -> Figure:
    """One picture under every corruption, a row each; columns are strengths, the first is none.

    Args:
        pictures: by corruption, uint8 (1 + strengths, side, side).
        values: by corruption, what its strengths from 1 on mean.
    """
    names = list(pictures)
    columns, side = pictures[names[0]].shape[:2]
    figure = Figure(figsize=(WIDTH, 0.5 + 0.98 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), columns, squeeze=False)
    for row, name in zip(panels, names, strict=True):
        captions = ["as it is", *(f"{value:g}" for value in values[name])]
        for axes, picture, caption in zip(row, pictures[name], captions, strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(caption, fontsize=7, labelpad=2)
            bare(axes)
        row[0].set_ylabel(name, fontsize=8)
    figure.suptitle(f"One {side}x{side} picture, corrupted", x=0.01, ha="left")
    return figure


def _draw_curve(axes: Axes, name: str, curve: Curve, colour: str) -> None:
    places = range(len(curve.accuracy))
    axes.axhline(curve.accuracy[0], color=INK, linestyle=(0, (4, 2)), linewidth=0.8)
    axes.fill_between(places, curve.low, curve.high, color=tint(colour, 0.25), linewidth=0)
    axes.plot(places, curve.accuracy, color=colour, marker="o", markersize=3.5)
    axes.set_xticks(places, ["none", *(f"{value:g}" for value in curve.values)], fontsize=6.5)
    axes.set_xlabel(curve.measure, fontsize=7.5)
    axes.set_title(name, fontsize=9)
    axes.grid(axis="y")
