"""The sheet of what the audit found, or a person wants to review.  Pictures -> Figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from facial_expression.plot.sheets import shortened
from facial_expression.plot.style import PALE, WIDTH, styled

COLUMNS = 4
"""Findings side by side; what follows is in inches."""
MARGIN, HEAD, TITLE, CELL, PICTURE = 0.1, 0.5, 0.26, 1.22, 0.78


@dataclass(frozen=True)
class Finding:
    """One row of audit.csv: its score, and the one or two `<folder>/<class>/<name>` it is about."""

    score: float
    paths: tuple[str, ...]


def by_kind(rows: Iterable[Mapping[str, str]]) -> dict[str, list[Finding]]:
    """The findings of each kind from the rows of audit.csv, in their order."""
    found: dict[str, list[Finding]] = {}
    for row in rows:
        paths = tuple(path for path in (row["path"], row["partner"]) if path)
        found.setdefault(row["kind"], []).append(Finding(float(row["score"]), paths))
    return found


@styled
def audit_sheet(
    shown: Mapping[str, Sequence[Finding]],
    totals: Mapping[str, int],
    pictures: Mapping[str, npt.NDArray[np.uint8]],
) -> Figure:
    """Findings of each kind, pairs side by side, with score, label and file name.

    Args:
        shown: findings by kind, from top to bottom; empty if nothing was found.
        totals: how many findings of each of these kinds there are.
        pictures: squares, uint8 (S, S), by path.
    """
    rows = {kind: -(-len(some) // COLUMNS) for kind, some in shown.items()}
    height = HEAD + max(sum(TITLE + CELL * count for count in rows.values()), 0.3)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(MARGIN, 0.24, f"Findings of the audit (n = {sum(totals.values()):,})", fontsize=10)
    top = HEAD
    if not shown:
        axes.text(MARGIN, top, "none")
    for kind, some in shown.items():
        title = f"{kind.replace('_', ' ')}: the first {len(some):,} of {totals[kind]:,}"
        axes.text(MARGIN, top + 0.06, title, fontsize=8.5, fontweight="bold")
        for place, finding in enumerate(some):
            row, column = divmod(place, COLUMNS)
            left = MARGIN + column * (WIDTH - MARGIN) / COLUMNS
            _draw(axes, (left, top + TITLE + row * CELL), finding, pictures)
        top += TITLE + rows[kind] * CELL
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), aspect="auto")
    return figure


def _draw(
    axes: Axes,
    corner: tuple[float, float],
    finding: Finding,
    pictures: Mapping[str, npt.NDArray[np.uint8]],
) -> None:
    left, top = corner
    axes.text(left, top, f"score {finding.score:.3f}", fontsize=7)
    for place, path in enumerate(finding.paths):
        start, upper = left + place * (PICTURE + 0.03), top + 0.04
        extent = (start, start + PICTURE, upper + PICTURE, upper)
        axes.imshow(pictures[path], cmap="gray", vmin=0, vmax=255, extent=extent)
        frame = Rectangle(
            (start, upper), PICTURE, PICTURE, fill=False, edgecolor=PALE, linewidth=0.4
        )
        axes.add_patch(frame)  # a white picture would not show
        folder, label, name = path.split("/")
        words = (shortened(f"{folder} {label}", 17), shortened(name, 22))
        for line, (text, size) in enumerate(zip(words, (6.5, 5), strict=True)):
            axes.text(start, upper + PICTURE + 0.11 + 0.1 * line, text, fontsize=size)
