"""Charts of one run.  The tables of the stages, as DataFrames -> Figure.

DVC's own plots page draws the others (`plots:` of dvc.yaml).  Series differ in lightness, line and
marker and not only in hue, so that a grey print and a colour-blind reader see the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from facial_expression.plot.style import INK, WIDTH, bare, ink_on, ramp, styled

PERCENT = PercentFormatter(1, symbol="")


@styled
def curves(history: pd.DataFrame, colour: str) -> Figure:
    """Loss and accuracy by epoch, training and validation, from history.csv."""
    epochs = history["epoch"]
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    size = 4 if len(epochs) <= 20 else 0  # marks carry one epoch, and clutter a hundred
    for axes, score in ((left, "loss"), (right, "accuracy")):
        training, validation = series(colour)
        axes.plot(epochs, history[score], label="training", markersize=size, **training)
        axes.plot(
            epochs, history[f"val_{score}"], label="validation", markersize=size, **validation
        )
        axes.set_xlabel("epoch")
        whole = MaxNLocator(6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
        axes.xaxis.set_major_locator(whole)
        axes.grid(axis="y")
        if len(epochs) == 1:  # a range of no width would get ticks at fractions of an epoch
            axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    left.set(title="Loss", ylabel="cross-entropy (nats)")
    right.set(title="Accuracy", ylabel="accuracy (%)")
    right.yaxis.set_major_formatter(PERCENT)
    named = left.get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=2, handlelength=3)
    return figure


@styled
def confusion(table: pd.DataFrame, classes: Sequence[str], split: str, colour: str) -> Figure:
    """Confusion matrix from confusion.csv; each row sums to 100 %, so its diagonal is recall."""
    size = len(classes)
    crossed = pd.crosstab(table["actual"], table["predicted"])
    counts = crossed.reindex(index=classes, columns=classes, fill_value=0).to_numpy()
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = max(4.6, 1.6 + 0.62 * size)
    figure = Figure(figsize=(side, side * 0.94), layout="constrained")
    axes = figure.add_subplot()
    colours = ramp(colour)
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    for (row, column), share in np.ndenumerate(shares):
        ink: dict[str, Any] = {"ha": "center", "color": ink_on(colours(float(share)))}
        axes.text(column, row - 0.02, f"{100 * share:.0f}", va="bottom", fontsize=9.5, **ink)
        axes.text(column, row + 0.1, f"{counts[row, column]:,}", va="top", fontsize=7, **ink)
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    long = size > 7 or max(map(len, classes)) > 8
    axes.set_xticks(range(size), classes, **(slanted if long else {}))
    named = [f"{name} ({n:,})" for name, n in zip(classes, totals[:, 0], strict=True)]
    axes.set_yticks(range(size), named)
    for edge in range(1, size):  # white lines part the cells
        axes.axhline(edge - 0.5, color="white", linewidth=1)
        axes.axvline(edge - 0.5, color="white", linewidth=1)
    bare(axes)
    title = f"Confusion on {split} (n = {counts.sum():,})\n% of the actual class; count below"
    axes.set(xlabel="predicted", ylabel="actual", title=title)
    return figure


@styled
def reliability(
    table: pd.DataFrame, calibration: Mapping[str, Any], split: str, colour: str
) -> Figure:
    """Accuracy by confidence, before and after the temperature.

    `table` is reliability.csv, and `calibration` the entry of scores.json.
    """
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), color=INK, linestyle=":", linewidth=1, label="as it should be")
    bins = table[table["binning"] == "equal_mass"]
    temperature = f"temperature {calibration['temperature']:.3f}"
    names = {"before": "as predicted", "after": temperature}
    for (when, name), look in zip(names.items(), series(colour)[::-1], strict=True):
        points, error = bins[bins["when"] == when], calibration[when]["ece_equal_mass"]
        label = f"{name}: calibration error {100 * error:.1f} %"
        axes.plot(points["confidence"], points["accuracy"], label=label, clip_on=False, **look)
    title = f"Reliability on {split} (n = {points['n'].sum():,})\nin bins of equal mass"
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence (%)", ylabel="accuracy (%)", title=title)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.grid()
    figure.legend(loc="outside right upper", handlelength=3)
    return figure


def series(colour: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Looks of two lines that a grey print and a colour-blind reader tell apart."""
    dashes = {"linestyle": (0, (4, 1.5)), "marker": "s", "markerfacecolor": "white"}
    return {"color": colour, "marker": "o"}, {"color": INK, **dashes}
