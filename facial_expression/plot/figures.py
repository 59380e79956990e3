"""Charts of one run.  The tables of the stages, as DataFrames -> Figure.

Series differ in lightness, hatch, line or marker and not only in hue, so that a grey print and a
colour-blind reader see the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from facial_expression.plot.style import INK, PALE, WIDTH, bare, ink_on, ramp, styled, tint

DASHES = (0, (4, 2))


@styled
def class_counts(table: pd.DataFrame, classes: Sequence[str], colour: str) -> Figure:
    """Pictures by class, one bar a split, from class_counts.csv; at most three are told apart."""
    looks = ((colour, ""), (tint(colour, 0.35), ""), ("white", "/////"))
    counts = table.pivot(index="class", columns="split", values="count")
    counts = counts.reindex(index=classes, columns=table["split"].unique()).fillna(0).astype(int)
    splits = len(counts.columns)
    figure, axes = _chart(1.1 + len(classes) * (0.12 + 0.16 * splits))
    rows, height = np.arange(len(classes)), 0.84 / splits
    for place, (split, values) in enumerate(counts.items()):
        offset = (place - (splits - 1) / 2) * height
        fill, hatch = looks[place % len(looks)]
        look: dict[str, Any] = {"facecolor": fill, "hatch": hatch, "edgecolor": colour, "lw": 0.7}
        label = f"{split} (n = {values.sum():,})"
        bars = axes.barh(rows + offset, values, height * 0.9, label=label, **look)
        axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=7)
    axes.set_yticks(rows, classes)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(_whole_numbers())
    _finish_bars(axes, f"Pictures by class and split (n = {counts.to_numpy().sum():,})", "pictures")
    axes.margins(x=0.08)  # room for the numbers at the ends of the bars
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def curves(history: pd.DataFrame, colour: str) -> Figure:
    """Loss and accuracy by epoch, training and validation, from history.csv."""
    epochs = history["epoch"]
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    looks: dict[str, dict[str, Any]] = {
        "training": {"color": colour, "marker": "o"},
        "validation": {"color": INK, "linestyle": (0, (4, 1.5)), "marker": "s", "mfc": "white"},
    }
    size = 4 if len(epochs) <= 20 else 0  # marks carry one epoch, and clutter a hundred
    for axes, score in ((left, "loss"), (right, "accuracy")):
        for (label, look), column in zip(looks.items(), (score, f"val_{score}"), strict=True):
            axes.plot(epochs, history[column], label=label, markersize=size, **look)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(axis="y")
        if len(epochs) == 1:  # a range of no width would get ticks at fractions of an epoch
            axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    left.set(title="Loss", ylabel="cross-entropy (nats)")
    right.set(title="Accuracy", ylabel="accuracy (%)")
    right.yaxis.set_major_formatter(_percent())
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
    title = f"Confusion on {split} (n = {counts.sum():,})\n% of the actual class; count below"
    axes.set(xlabel="predicted", ylabel="actual", title=title)
    return figure


@styled
def per_class_f1(table: pd.DataFrame, split: str, colour: str) -> Figure:
    """F1 score of each class as a bar, precision and recall as marks, from per_class.csv."""
    f1 = table["f1"]
    rows = np.arange(len(table))
    figure, axes = _chart(1.3 + 0.34 * len(table))
    axes.barh(rows, f1, 0.66, label="F1", **_filled(colour))
    for row, value in enumerate(f1):  # at the foot: the marks stand at the other end
        axes.text(0.012, row, f"{value:.2f}", va="center_baseline", fontsize=8)
    mark: dict[str, Any] = {"ls": "", "ms": 5.5, "c": INK, "mew": 1, "clip_on": False}
    axes.plot(table["precision"], rows, marker="o", mfc="white", label="precision", **mark)
    axes.plot(table["recall"], rows, marker="D", label="recall", **mark)
    mean = f1.mean()
    axes.axvline(mean, color=INK, linestyle=DASHES, linewidth=1, label=f"macro F1 = {mean:.3f}")
    axes.set_yticks(rows, _with_n(table["class"], table["support"]))
    n = table["support"].sum()
    _finish_bars(axes, f"F1 by class on {split} (n = {n:,})", "score (0 to 1)")
    axes.set_xlim(0, 1)
    handles = [*axes.containers, *axes.get_lines()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


@styled
def reliability(
    table: pd.DataFrame, calibration: Mapping[str, Any], split: str, colour: str
) -> Figure:
    """Accuracy by confidence before and after the temperature, and pictures by confidence.

    `table` is reliability.csv, and `calibration` the entry of scores.json.
    """
    figure = Figure(figsize=(WIDTH, 4.3), layout="constrained")
    upper, lower = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3.4, 1))
    degrees = 1.0, calibration["temperature"]
    for when, degree, axes, beneath in zip(("before", "after"), degrees, upper, lower, strict=True):
        bins, errors = table[table["when"] == when], calibration[when]
        width, mass = (bins[bins["binning"] == name] for name in ("equal_width", "equal_mass"))
        low, size, n = width["low"], width["high"] - width["low"], width["n"].sum()
        axes.plot((0, 1), (0, 1), c=INK, ls=DASHES, lw=1, label="as it should be")
        bars: dict[str, Any] = {"label": "bins of equal width", **_filled(colour)}
        axes.bar(low, width["accuracy"], size, align="edge", **bars)
        mark: dict[str, Any] = {"label": "bins of equal mass", "mfc": "white", "clip_on": False}
        axes.plot(mass["confidence"], mass["accuracy"], "o", ms=4.5, c=INK, **mark)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.yaxis.set_major_formatter(_percent())
        axes.set_title(
            f"{when.capitalize()}: temperature {degree:.3f}\n"
            f"calibration error {100 * errors['ece_equal_width']:.1f} % "
            f"(equal mass {100 * errors['ece_equal_mass']:.1f} %)",
            fontsize=9,
        )
        beneath.bar(low, width["n"] / n, size, align="edge", color=PALE, edgecolor="white")
        beneath.set_xlabel("confidence (%)")
        beneath.xaxis.set_major_formatter(_percent())
        beneath.yaxis.set_major_formatter(_percent(decimals=0))
        beneath.grid(axis="y")
    upper[0].set_ylabel("accuracy (%)")
    lower[0].set_ylabel("pictures (%)")
    figure.suptitle(f"Reliability on {split} (n = {n:,})", x=0.01, ha="left")
    named = upper[0].get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=3, handlelength=3)
    return figure


@styled
def risk_coverage(table: pd.DataFrame, n: int, split: str, colour: str) -> Figure:
    """Error rate among the surest answers by their share, beside the best and a random order.

    `table` is risk_coverage.csv, whose last row is coverage 1, and `n` the pictures of the split.
    """
    coverage, risk = table["coverage"].to_numpy(), table["risk"].to_numpy()
    error = risk[-1]
    figure, axes = _chart(3.2)
    axes.axhline(error, color=INK, linewidth=1, linestyle=DASHES, label="refusing at random")
    axes.plot(coverage, risk, color=colour, label="refusing the least sure")
    shares = np.linspace(0.001, 1, 1000)
    best = np.maximum(0, shares - (1 - error)) / shares
    axes.plot(shares, best, color=INK, linewidth=1, linestyle=":", label="refusing every mistake")
    for share in (0.5, 0.8, 1.0):
        place = int(np.searchsorted(coverage, share - 1e-6))
        x, y = coverage[place], risk[place]
        axes.plot(x, y, marker="o", markersize=4.5, color=colour, clip_on=False)
        said = f"{100 * y:.1f} %"
        axes.annotate(said, (x, y), (-4, 5), textcoords="offset points", ha="right", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(0, max(max(risk) * 1.18, 0.01)), ylabel="wrong answers (%)")
    axes.xaxis.set_major_formatter(_percent())
    axes.yaxis.set_major_formatter(_percent(decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")
    axes.set_xlabel("pictures answered, the surest first (%)")
    axes.set_title(f"Wrong answers by share of pictures answered on {split} (n = {n:,})")
    figure.legend(loc="outside lower center", ncols=3, handlelength=3)
    return figure


def _chart(height: float) -> tuple[Figure, Axes]:
    """A chart of this height, in inches, and its axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _finish_bars(axes: Axes, title: str, label: str) -> None:
    axes.invert_yaxis()  # the first class on top, as in the confusion matrix
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.margins(y=0.02)
    axes.set(xlabel=label, title=title)


def _filled(colour: str) -> dict[str, Any]:
    return {"facecolor": tint(colour, 0.45), "edgecolor": colour, "linewidth": 0.7}


def _percent(decimals: int | None = None) -> PercentFormatter:
    return PercentFormatter(1, decimals, symbol="")


def _whole_numbers() -> MaxNLocator:
    return MaxNLocator(6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])


def _with_n(classes: Iterable[str], numbers: Iterable[int]) -> list[str]:
    return [f"{name} ({number:,})" for name, number in zip(classes, numbers, strict=True)]
