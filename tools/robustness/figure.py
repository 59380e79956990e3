"""Accuracy by strength of corruption, and one picture under every corruption."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from facial_expression.plot.style import INK, WIDTH, bare, styled
from tools.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupted

COLUMNS = 4


@styled
def accuracy_by_strength(table: pd.DataFrame, split: str, colour: str) -> Figure:
    """One panel a corruption of robustness.csv: accuracies, intervals, and the clean accuracy."""
    clean = table.iloc[[0]]
    rows = -(-len(CORRUPTIONS) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.6 + 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False)
    for axes, name in zip(panels.flat, CORRUPTIONS, strict=True):
        curve = pd.concat([clean, table[table["corruption"] == name]])
        _draw_curve(axes, name, curve, colour)
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy (%)")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    n = clean["n"].iloc[0]
    title = f"Accuracy on corrupted {split} (n = {n:,}; band: 95 %, dashes: no corruption)"
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def corruption_sheet(picture: npt.NDArray[np.uint8], seed: int) -> Figure:
    """One picture, uint8 (S, S), under every corruption; columns are strengths from 0 (none) on."""
    strengths = (0, *STRENGTHS)
    figure = Figure(figsize=(WIDTH, 0.5 + 0.98 * len(CORRUPTIONS)), layout="constrained")
    panels = figure.subplots(len(CORRUPTIONS), len(strengths), squeeze=False)
    for row, (name, corruption) in zip(panels, CORRUPTIONS.items(), strict=True):
        captions = ["none", *(f"{value:g}" for value in corruption.values)]
        for axes, strength, caption in zip(row, strengths, captions, strict=True):
            changed = corrupted(picture[None], name, strength, seed)[0]
            axes.imshow(changed, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(caption, fontsize=7, labelpad=2)
            bare(axes)
        row[0].set_ylabel(name, fontsize=8)
    side = len(picture)
    figure.suptitle(f"One {side}x{side} picture, corrupted", x=0.01, ha="left")
    return figure


def _draw_curve(axes: Axes, name: str, curve: pd.DataFrame, colour: str) -> None:
    corruption = CORRUPTIONS[name]
    places = range(len(curve))
    band = curve["accuracy_low"], curve["accuracy_high"]
    axes.axhline(curve["accuracy"].iloc[0], color=INK, linestyle=(0, (4, 2)), linewidth=0.8)
    axes.fill_between(places, *band, color=colour, alpha=0.25, linewidth=0)
    axes.plot(places, curve["accuracy"], color=colour, marker="o", markersize=3.5)
    ticks = ["none", *(f"{value:g}" for value in corruption.values)]
    axes.set_xticks(places, ticks, fontsize=6.5)
    axes.set_xlabel(corruption.measure, fontsize=7.5)
    axes.set_title(name, fontsize=9)
    axes.grid(axis="y")
