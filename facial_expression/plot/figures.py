"""Charts of one run: class counts, learning curves, confusion, F1 by class.  Numbers -> Figure.

What differs differs in lightness, hatch, line or marker and not in hue alone, so that a grey print
and a colour-blind reader see the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from facial_expression.plot.style import (
    INK,
    WIDTH,
    bare,
    ink_on,
    ramp,
    styled,
    tint,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@styled
def class_counts(
    classes: Sequence[str], counts: Mapping[str, Sequence[int]], colour: str
) -> Figure:
    """Pictures by class, one bar a split.

    Args:
        classes: names, in the order of the rows from top to bottom.
        counts: split -> pictures of each class; at most three splits are told apart.
        colour: of the first split's bars.
    """
    looks: tuple[dict[str, Any], ...] = (
        {"facecolor": colour},
        {"facecolor": tint(colour, 0.35)},
        {"facecolor": "white", "hatch": "/////"},
    )
    figure = Figure(
        figsize=(WIDTH, 1.1 + len(classes) * (0.12 + 0.16 * len(counts))), layout="constrained"
    )
    axes = figure.add_subplot()
    rows = np.arange(len(classes))
    height = 0.84 / len(counts)
    for place, (split, values) in enumerate(counts.items()):
        offset = (place - (len(counts) - 1) / 2) * height
        bars = axes.barh(
            rows + offset,
            values,
            height * 0.9,
            edgecolor=colour,
            linewidth=0.7,
            label=f"{split} (n = {sum(values):,})",
            **looks[place % len(looks)],
        )
        axes.bar_label(bars, [f"{value:,}" for value in values], padding=2, fontsize=7)
    axes.set_yticks(rows, classes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_major_locator(_whole_numbers())
    total = sum(sum(values) for values in counts.values())
    _finish_bars(axes, f"Pictures by class and split (n = {total:,})", "pictures")
    axes.margins(x=0.08)  # room for the numbers at the ends of the bars
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def curves(
    epochs: Sequence[int],
    loss: tuple[Sequence[float], Sequence[float]],
    accuracy: tuple[Sequence[float], Sequence[float]],
    colour: str,
) -> Figure:
    """Loss and accuracy by epoch, each a pair (training, validation); accuracy in [0, 1]."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    looks: dict[str, dict[str, Any]] = {
        "training": {"color": colour, "marker": "o"},
        "validation": {"color": INK, "linestyle": (0, (4, 1.5)), "marker": "s", "mfc": "white"},
    }
    size = 4 if len(epochs) <= 20 else 0  # marks carry one epoch, and clutter a hundred
    for axes, pair in ((left, loss), (right, accuracy)):
        for (label, look), values in zip(looks.items(), pair, strict=True):
            axes.plot(epochs, values, label=label, markersize=size, **look)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(axis="y")
        if len(epochs) == 1:  # a range of no width would get ticks at fractions of an epoch
            axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    left.set_title("Loss")
    left.set_ylabel("cross-entropy (nats)")
    right.set_title("Accuracy")
    right.set_ylabel("accuracy (%)")
    right.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, handlelength=3)
    return figure


@styled
def confusion(classes: Sequence[str], counts: Integers, split: str, colour: str) -> Figure:
    """Confusion matrix; each row sums to 100 %, so its diagonal is recall.

    Args:
        classes: names in label order.
        counts: (K, K), pictures by actual (row) and predicted (column) class.
        split: the split that was scored, for the title.
        colour: what the cells are shaded with; the fuller, the darker.
    """
    size = len(classes)
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
    axes.set_xticks(range(size), classes)
    axes.set_yticks(range(size), _with_n(classes, totals[:, 0]))
    if size > 7 or max(map(len, classes)) > 8:
        axes.tick_params(axis="x", labelrotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    for edge in range(1, size):  # white lines part the cells
        axes.axhline(edge - 0.5, color="white", linewidth=1)
        axes.axvline(edge - 0.5, color="white", linewidth=1)
    bare(axes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.set_title(
        f"Confusion on {split} (n = {counts.sum():,})\n% of the actual class; count below"
    )
    return figure


@styled
def per_class_f1(
    classes: Sequence[str],
    precision: Floats,
    recall: Floats,
    f1: Floats,
    support: Integers,
    split: str,
    colour: str,
) -> Figure:
    """F1 score of each class as a bar, its precision and recall as marks; all (K,), in [0, 1]."""
    rows = np.arange(len(classes))
    figure = Figure(figsize=(WIDTH, 1.3 + 0.34 * len(classes)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(
        rows, f1, 0.66, facecolor=tint(colour, 0.45), edgecolor=colour, linewidth=0.7, label="F1"
    )
    for row, value in enumerate(f1):  # at the foot: the marks stand at the other end
        axes.text(0.012, row, f"{value:.2f}", va="center_baseline", fontsize=8)
    mark: dict[str, Any] = {
        "linestyle": "",
        "markersize": 5.5,
        "color": INK,
        "markeredgewidth": 1,
        "clip_on": False,
    }
    axes.plot(precision, rows, marker="o", markerfacecolor="white", label="precision", **mark)
    axes.plot(recall, rows, marker="D", label="recall", **mark)
    axes.axvline(float(f1.mean()), color=INK, linestyle=(0, (4, 2)), linewidth=1)
    axes.set_yticks(rows, _with_n(classes, support))
    title = f"F1 by class on {split} (n = {support.sum():,})"
    _finish_bars(axes, title, "score (0 to 1)")
    axes.set_xlim(0, 1)
    macro = Line2D(
        [], [], color=INK, linestyle=(0, (4, 2)), linewidth=1, label=f"macro F1 = {f1.mean():.3f}"
    )
    precise, recalled, bars = axes.get_legend_handles_labels()[0]
    figure.legend(handles=[bars, precise, recalled, macro], loc="outside lower center", ncols=4)
    return figure


def _finish_bars(axes: Axes, title: str, label: str) -> None:
    axes.invert_yaxis()  # the first class on top, as in the confusion matrix
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.margins(y=0.02)
    axes.set_xlabel(label)
    axes.set_title(title)


def _whole_numbers() -> MaxNLocator:
    return MaxNLocator(6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])


def _with_n(classes: Sequence[str], numbers: npt.ArrayLike) -> list[str]:
    return [
        f"{name} ({number:,})" for name, number in zip(classes, np.asarray(numbers), strict=True)
    ]
