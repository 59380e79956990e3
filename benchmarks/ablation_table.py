"""The table of `benchmarks.ablations`, out of what its fits took and reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from benchmarks.comparison import deviating, markdown
from facial_expression.core.errors import ParameterError
from facial_expression.core.params import CLOSED

Values = dict[str, Any]
"""A recipe, a `timed_fit.Result`, or all figures, as a dictionary."""

BASELINE = "baseline"  # the recipe as it is
HEADER = (
    *("ingredient", "change", "predicted", "val accuracy, %", "to the baseline"),
    *("macro F1", "CPU s", "kept?"),
)
NOTES = """\
{epochs} epochs; threads: {threads}; each change alone, against the recipe as it is.  To the
baseline: difference in points ± its standard error, from the pictures of val on which the fits
disagree; less than twice that is no evidence.  Other ±: standard deviation over seeds.  Seeds of
the baseline: {seeds}.  CPU s: of the fit, over all threads; in brackets over the baseline's.  Kept:
the recipe has the ingredient, and the change takes it out; dropped: the change brings it in."""


@dataclass(frozen=True, config=CLOSED)
class Ingredient:
    """One line of the table.

    Attributes:
        name: what readers know it as.
        change: dotted keys of a recipe and their values: they take the ingredient out of the
            recipe, or bring it in.
        prediction: what was expected before it was measured.
        kept: whether the recipe has it.
    """

    name: str
    change: dict[str, str | int | float]
    prediction: str
    kept: bool


def varied(recipe: Mapping[str, Any], change: Mapping[str, Any]) -> Values:
    """A recipe with other values for some of its dotted keys.

    >>> varied({"epochs": 8, "optimizer": {"name": "muon"}}, {"optimizer.name": "sgd"})
    {'epochs': 8, 'optimizer': {'name': 'sgd'}}

    Raises:
        ParameterError: the recipe has no such key, or it is a whole section.
    """
    result = deepcopy(dict(recipe))
    for key, value in change.items():
        *sections, last = key.split(".")
        where: Any = result
        for section in sections:
            where = where.get(section) if isinstance(where, dict) else None
        if not isinstance(where, dict) or last not in where or isinstance(where[last], dict):
            raise ParameterError(
                f"expected the dotted key of a value in a recipe, optimizer.name for example, "
                f"found '{key}'"
            )
        where[last] = value
    return result


def runs_of(figures: Values, change: Mapping[str, Any]) -> list[Values]:
    """The runs of the baseline with a change, whatever their seed."""
    wanted = varied(figures["baseline"], change) | {"seed": None}
    return [one for one in figures["runs"] if one["recipe"] | {"seed": None} == wanted]


def table(figures: Values, ingredients: Iterable[Ingredient]) -> str:
    """A Markdown table with a row for the baseline and one for each ingredient that was fitted.

    Args:
        figures: what `ablations.measure` wrote.
        ingredients: in the order of the rows.

    Raises:
        ParameterError: there is no run of the baseline.
    """
    recipe, baseline = figures["baseline"], runs_of(figures, {})
    if not baseline:
        raise ParameterError("expected a fit of the baseline, found none; run `--only baseline`")
    rows = [HEADER, (BASELINE, "", "", _accuracy(baseline), "", *_costs(baseline, baseline), "")]
    for one in ingredients:
        if runs := runs_of(figures, one.change):
            change = ", ".join(f"`{key}={value}`" for key, value in one.change.items())
            difference = "{:+.2f} ± {:.2f}".format(*compared(runs, baseline))
            start = (one.name, change, one.prediction, _accuracy(runs), difference)
            rows.append((*start, *_costs(runs, baseline), "kept" if one.kept else "dropped"))
    seeds = ", ".join(str(one["recipe"]["seed"]) for one in baseline)
    notes = NOTES.format(epochs=recipe["epochs"], threads=recipe["threads"], seeds=seeds)
    return f"{markdown(rows)}\n\n{notes}\n\n{figures['machine']}"


def compared(runs: Sequence[Values], baseline: Sequence[Values]) -> tuple[float, float]:
    """Difference in accuracy and its standard error, both in points of 100.

    The mean over the pictures of val, and its standard error, of the difference on each, where
    seeds are averaged first.  For one run against one it is McNemar's comparison of two classifiers
    on the same pictures (Dietterich 1998, "Approximate Statistical Tests for Comparing Supervised
    Classification Learning Algorithms").
    """
    differences = 100 * (_hits(runs).mean(axis=0) - _hits(baseline).mean(axis=0))
    return float(differences.mean()), float(differences.std(ddof=1) / len(differences) ** 0.5)


def _hits(runs: Sequence[Values]) -> NDArray[np.uint8]:
    """Which pictures of val each run gets right, 0 or 1, (runs, pictures)."""
    digits = [np.frombuffer(bytes.fromhex(one["val_hits"]), np.uint8) for one in runs]
    return np.unpackbits(np.stack(digits), axis=1, count=runs[0]["scores"]["val"]["n"])


def _accuracy(runs: Sequence[Values]) -> str:
    return deviating((100 * one["scores"]["val"]["accuracy"] for one in runs), 2)


def _costs(runs: Sequence[Values], baseline: Sequence[Values]) -> tuple[str, str]:
    """The cells of macro F1 and time."""
    ours, theirs = (mean(one["cpu"] for one in some) for some in (runs, baseline))
    macro_f1 = deviating((one["scores"]["val"]["macro_f1"] for one in runs), 3)
    return macro_f1, f"{ours:.0f} ({ours / theirs:.2f})"
