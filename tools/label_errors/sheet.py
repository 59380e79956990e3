"""The sheet of suspected label errors, for a person to judge."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from facial_expression.plot.sheets import Cell, sheet, shortened


def suspect_sheet(table: pd.DataFrame, images: npt.NDArray[np.uint8], total: int) -> Figure:
    """The first suspects of a `total`, most suspect first, each with label and suggested one.

    `table` are the first rows of label_errors.csv, `images` their pictures, uint8 (N, S, S).
    """
    cells = []
    for number, (image, row) in enumerate(zip(images, table.itertuples(), strict=True), 1):
        shares = row.self_confidence, row.self_confidence - row.margin
        label, suggested = (
            f"{shortened(name, 14)} {100 * share:.0f} %"
            for name, share in zip((row.label, row.suggested), shares, strict=True)
        )
        cells.append(Cell([image], [f"{number}. {label}", f"rather {suggested}"]))
    title = f"Suspected label errors: the {len(table):,} most suspect of {total:,}"
    note = "Number in label_errors.csv, the label as given, and the suggested one."
    return sheet(title, [("", cells)], 5, note)
