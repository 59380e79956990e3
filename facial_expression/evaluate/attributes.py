"""Scores by what a set states of the people in its pictures: sex, race, age, ...

Nothing here guesses an attribute: pictures without one are left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facial_expression.metrics.intervals import drawn
from facial_expression.metrics.scores import TAILS, Labels, Probabilities

DRAWS = 2000
MOST = 12  # an attribute with more values, such as an age in years, is not scored


def by_attribute(
    people: pd.DataFrame,
    paths: Sequence[str],
    labels: Labels,
    probabilities: Probabilities,
    calibrated: Probabilities,
    draws: int = DRAWS,
) -> list[dict[str, Any]]:
    """A row for each value of each attribute that has 2 to `MOST` values among N pictures.

    Beside attribute, value and n: accuracy; balanced_accuracy, the mean recall of the classes that
    occur; overconfidence, the mean confidence after the temperature minus accuracy; gap, accuracy
    minus that of the other pictures of which the attribute is stated; each with `_low` and `_high`,
    the ends of its 95 % bootstrap interval.  A draw scores all values, so the intervals are paired;
    it takes persons with all their pictures where the set names them, else pictures.

    `people` is people.csv: columns path, group and the attributes, "" where nothing is stated.
    Probabilities (N, classes) are before the temperature, `calibrated` after it.
    """
    about = people.set_index("path").reindex(paths).fillna("")
    unit = about["group"].mask(about["group"] == "", about.index)
    named = [
        (name, value)
        for name in about.columns.drop("group")
        if 2 <= len(values := sorted(set(about[name]) - {""})) <= MOST
        for value in values
    ]
    if not named:
        return []
    one = np.eye(probabilities.shape[1])[labels]
    right = one * (probabilities.argmax(axis=1) == labels)[:, None]
    sums = np.hstack([one, right, calibrated.max(axis=1)[:, None]])
    columns = []
    for name, value in named:
        own = (about[name] == value).to_numpy()
        columns += [sums * of[:, None] for of in (own, ~own & (about[name] != "").to_numpy())]
    table = pd.DataFrame(np.hstack(columns)).groupby(unit.to_numpy()).sum().to_numpy()
    samples = (times @ table for times in drawn(len(table), draws, seed=0))
    totals = np.concatenate([table.sum(axis=0, keepdims=True), *samples])

    rows = []
    for (name, value), of in zip(named, np.split(totals, len(named), axis=1), strict=True):
        scores, others = map(_scores, np.split(of, 2, axis=1))
        scores["gap"] = scores["accuracy"] - others["accuracy"]
        row = {"attribute": name, "value": value, "n": int((about[name] == value).sum())}
        for score, (found, *resampled) in scores.items():
            low, high = np.nanquantile(resampled, TAILS)
            row |= {score: found, f"{score}_low": low, f"{score}_high": high}
        rows.append(row)
    return rows


def _scores(totals: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Each score (draws,) of sums (draws, columns): class counts, right ones, confidence."""
    counts, right = np.split(totals[:, :-1], 2, axis=1)
    n = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):  # NaN where nothing was drawn
        accuracy = right.sum(axis=1) / n
        return {
            "accuracy": accuracy,
            "balanced_accuracy": np.nansum(right / counts, axis=1) / (counts > 0).sum(axis=1),
            "overconfidence": totals[:, -1] / n - accuracy,
        }
