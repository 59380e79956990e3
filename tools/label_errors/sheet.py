"""The sheet of suspected label errors, for a person to judge."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from facial_expression.plot.sheets import MARGIN, blank, put, shortened
from facial_expression.plot.style import WIDTH, styled

COLUMNS = 5
HEAD, PICTURE, CELL = 0.66, 1.05, 1.5  # inches
LONGEST = 14  # characters of a class name


@styled
def suspect_sheet(table: pd.DataFrame, images: npt.NDArray[np.uint8], total: int) -> Figure:
    """The first suspects of a `total`, most suspect first, each with label and suggested one.

    `table` are the first rows of label_errors.csv, `images` their pictures, uint8 (N, S, S).
    """
    figure, axes = blank(HEAD + max(-(-len(table) // COLUMNS) * CELL, 0.3))
    title = f"Suspected label errors: the {len(table):,} most suspect of {total:,}"
    axes.text(MARGIN, 0.22, title, fontsize=10)
    key = "Number in label_errors.csv; the label as given, then (bold) the suggested one."
    axes.text(MARGIN, 0.42, key, fontsize=7.5)
    if table.empty:
        axes.text(MARGIN, 0.72, "none")
    for index, row in enumerate(table.itertuples()):
        line, column = divmod(index, COLUMNS)
        left, top = MARGIN + column * (WIDTH - MARGIN) / COLUMNS, HEAD + line * CELL
        shares = row.self_confidence, row.self_confidence - row.margin
        label, suggested = (
            f"{shortened(name, LONGEST)} {100 * share:.0f} %"
            for name, share in zip((row.label, row.suggested), shares, strict=True)
        )
        axes.text(left, top, f"{index + 1}. {label}", fontsize=7.5)
        axes.text(left, top + 0.13, suggested, fontsize=7.5, fontweight="bold")
        put(axes, (left, top + 0.19), PICTURE, images[index])
    return figure
