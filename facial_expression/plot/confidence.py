"""Figures of how far a network's confidence can be believed.  Numbers -> Figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from facial_expression.plot.style import INK, PALE, WIDTH, styled, tint
from facial_expression.plot.tables import Bins

DASHES = (0, (4, 2))


@styled
def reliability(bins: Mapping[tuple[str, str], Bins], split: str, colour: str) -> Figure:
    """Accuracy by confidence before and after the temperature, and how many pictures are how sure.

    Args:
        bins: by ("before" or "after", "equal_width" or "equal_mass").
        split: the split that was scored, for the title.
        colour: of the bars.
    """
    figure = Figure(figsize=(WIDTH, 4.3), layout="constrained")
    upper, lower = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3.4, 1))
    for when, axes, beneath in zip(("before", "after"), upper, lower, strict=True):
        width, mass = bins[when, "equal_width"], bins[when, "equal_mass"]
        _draw_reliability(axes, width, mass, colour)
        axes.set_title(
            f"{when.capitalize()}: temperature {width.temperature:.3f}\ncalibration error "
            f"{_error(width):.1f} % (equal mass {_error(mass):.1f} %)",
            fontsize=9,
        )
        share = width.n / width.n.sum()
        beneath.bar(
            width.low, share, width.high - width.low, align="edge", color=PALE, edgecolor="white"
        )
        beneath.set_xlabel("confidence (%)")
        beneath.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        beneath.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
        beneath.grid(axis="y")
    upper[0].set_ylabel("accuracy (%)")
    lower[0].set_ylabel("pictures (%)")
    figure.suptitle(
        f"Reliability on {split} (n = {bins['before', 'equal_width'].n.sum():,.0f})",
        x=0.01,
        ha="left",
    )
    handles, labels = upper[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3)
    return figure


def _draw_reliability(axes: Axes, width: Bins, mass: Bins, colour: str) -> None:
    axes.plot((0, 1), (0, 1), color=INK, linestyle=DASHES, linewidth=1, label="as it should be")
    axes.bar(
        width.low,
        width.accuracy,
        width.high - width.low,
        align="edge",
        facecolor=tint(colour, 0.45),
        edgecolor=colour,
        linewidth=0.7,
        label="bins of equal width",
    )
    axes.plot(
        mass.confidence,
        mass.accuracy,
        color=INK,
        marker="o",
        markerfacecolor="white",
        markersize=4.5,
        linestyle="",
        clip_on=False,
        label="bins of equal mass",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))


def _error(bins: Bins) -> float:
    """Expected calibration error in percent."""
    return 100 * float(np.average(np.abs(bins.accuracy - bins.confidence), weights=bins.n))


@styled
def risk_coverage(
    coverage: Sequence[float], risk: Sequence[float], n: int, split: str, colour: str
) -> Figure:
    """Error rate among the surest answers by their share, beside the best and a random order.

    Args:
        coverage: rising shares of pictures answered, the last one 1.
        risk: the share of wrong answers among them, in [0, 1].
        n: pictures of the split.
        split: the split that was scored, for the title.
        colour: of the curve.
    """
    error = risk[-1]
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(error, color=INK, linewidth=1, linestyle=DASHES, label="refusing at random")
    axes.plot(coverage, risk, color=colour, label="refusing the least sure")
    shares = np.linspace(0.001, 1, 1000)
    best = np.maximum(0, shares - (1 - error)) / shares
    axes.plot(shares, best, color=INK, linewidth=1, linestyle=":", label="refusing every mistake")
    for share in (0.5, 0.8, 1.0):
        place = int(np.searchsorted(coverage, share - 1e-6))
        x, y = coverage[place], risk[place]
        axes.plot(x, y, marker="o", markersize=4.5, color=colour, clip_on=False)
        axes.annotate(
            f"{100 * y:.1f} %",
            (x, y),
            xytext=(-4, 5),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(max(risk) * 1.18, 0.01))
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")
    axes.set_xlabel("pictures answered, the surest first (%)")
    axes.set_ylabel("wrong answers (%)")
    axes.set_title(f"Wrong answers by share of pictures answered on {split} (n = {n:,})")
    figure.legend(loc="outside lower center", ncols=3, handlelength=3)
    return figure
