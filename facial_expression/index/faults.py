"""What an audit can find, and the findings about one picture: blanks, outlying sizes and modes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import NamedTuple

import numpy as np

from facial_expression.index.table import Row

KINDS = (
    *("duplicate", "near_duplicate", "conflicting_label"),
    *("blank", "almost_blank", "size_outlier", "mode_outlier"),
)
"""What a finding can be, in the order of audit.csv."""
BLANK_STD = 1.0
"""A picture whose grey levels deviate by less than this is blank."""
ALMOST_BLANK_STD = 8.0
"""A picture that is not blank, but deviates by less than this, is almost blank."""
RARE = 0.05
"""A size or mode that a larger share of the set has is no outlier: the set is a mixture."""
FENCE = 3.0
"""Interquartile ranges from the quartiles to the fences that an outlying size lies beyond."""


class Finding(NamedTuple):
    """One row of audit.csv.

    Attributes:
        path: the picture; of a pair, the one that comes later in index.csv.
        kind: of `KINDS`.
        partner: the other picture of a pair, else empty.
        score: similarity of a pair (1: equal pixels); standard deviation of the grey levels of a
            blank; side over the set's median side of an outlying size; the share of the set that
            has an outlying mode.
    """

    path: str
    kind: str
    partner: str
    score: float


def blanks(rows: Sequence[Row]) -> list[Finding]:
    """Pictures whose grey levels hardly deviate, the emptiest first."""
    return sorted(
        (
            Finding(row.path, "blank" if row.std < BLANK_STD else "almost_blank", "", row.std)
            for row in rows
            if row.std < ALMOST_BLANK_STD
        ),
        key=lambda finding: (finding.score, finding.path),
    )


def size_outliers(rows: Sequence[Row]) -> list[Finding]:
    """Widths and heights beyond Tukey's outer fences, on a scale of ratios.

    Where three quarters of the pictures have one size, every other size lies beyond; if more than
    `RARE` do, none is an outlier.
    """
    if not rows:
        return []
    sides = np.log([(row.width, row.height) for row in rows])
    low, middle, high = np.quantile(sides, (0.25, 0.5, 0.75), axis=0, method="nearest")
    reach = FENCE * (high - low) + 1e-9  # rounding must not make an outlier
    outside = ((sides < low - reach) | (sides > high + reach)).any(axis=1)
    if outside.sum() > RARE * len(rows):
        return []
    found = []
    for place in np.flatnonzero(outside).tolist():
        off = sides[place] - middle
        ratio = float(np.exp(off[np.abs(off).argmax()]))
        found.append(Finding(rows[place].path, "size_outlier", "", ratio))
    return sorted(found, key=lambda finding: (-abs(log(finding.score)), finding.path))


def mode_outliers(rows: Sequence[Row]) -> list[Finding]:
    """Pictures of a mode (grey, colour, palette, ...) that at most `RARE` of the set has."""
    share = {mode: n / len(rows) for mode, n in Counter(row.mode for row in rows).items()}
    found = (
        Finding(row.path, "mode_outlier", "", share[row.mode])
        for row in rows
        if share[row.mode] <= RARE
    )
    return sorted(found, key=lambda finding: (finding.score, finding.path))
