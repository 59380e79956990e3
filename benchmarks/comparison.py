"""The table of `benchmarks.time_to_accuracy`, and the cells that all tables share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, median, stdev
from typing import Any

Run = dict[str, Any]
"""A `timed_fit.Result` as a dictionary, with `planned_epochs` and `peak_bytes`."""

SPLITS = ("val", "test", "all")
BASELINE = "seed"  # the recipe that the others are compared with
COLUMNS = ("recipe", "parameters", "MACs", "epochs", "s an epoch", "s a fit", "of them building")
NOTES = """\
Mean ± standard deviation over the seeds; accuracy in %, plain / averaged with the mirror image.
A fit has its data in memory; augmentation, validation and averaging count.  ~: extrapolated from
the epochs that were measured."""
FER_NOTE = "fer: frozen weights; their epoch was chosen on val and test (PublicTest, PrivateTest)."


def table(runs: dict[str, list[Run]], fer: Run | None) -> str:
    """A Markdown table with a row for each recipe, and one for the package `fer` if it is given."""
    scored = next(iter(runs.values()))[0]["scores"]
    splits = [split for split in SPLITS if split in scored]
    baseline = whole_run(runs[BASELINE]) if BASELINE in runs else None
    header = [*COLUMNS, f"{BASELINE}'s time over it"]
    header += [f"{split} {what}" for split in splits for what in ("accuracy", "macro F1")]
    rows = [
        [name, *_costs(found), _ratio(baseline, found), *_reached(found, splits)]
        for name, found in runs.items()
    ]
    if fer:
        blank = [""] * (len(header) - 3 - 2 * len(splits))
        rows.append(["fer", *_size(fer), *blank, *_reached([fer], splits)])
    notes = f"{NOTES}\n{FER_NOTE}" if fer else NOTES
    return f"{markdown([header, *rows])}\n\n{notes}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of texts whose first row is the header.

    >>> print(markdown([("a", "b"), ("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def deviating(values: Iterable[float], decimals: int) -> str:
    """Mean and standard deviation (of a sample) of some figures; one figure has none.

    >>> deviating([1.0, 2.0, 3.0], 1), deviating([2.0], 1)
    ('2.0 ± 1.0', '2.0')
    """
    figures = list(values)
    text = f"{mean(figures):,.{decimals}f}"
    return f"{text} ± {stdev(figures):.{decimals}f}" if len(figures) > 1 else text


def ranging(values: Iterable[float], decimals: int) -> str:
    """Median and range of some figures, for a cell of a table.

    >>> ranging([3.0, 1.0, 2.0], 1)
    '2.0 (1.0 to 3.0)'
    """
    figures = list(values)
    low, middle, high = min(figures), median(figures), max(figures)
    return f"{middle:,.{decimals}f} ({low:,.{decimals}f} to {high:,.{decimals}f})"


def is_cut(run: Run) -> bool:
    """Whether a run had fewer epochs than its recipe."""
    return bool(run["recipe"]["epochs"] < run["planned_epochs"])


def whole_run(runs: Sequence[Run]) -> float:
    """Mean seconds of a recipe's fit; a shortened run is extrapolated."""
    return mean(
        run["building"] + run["planned_epochs"] * median(run["epochs"])
        if is_cut(run)
        else run["seconds"]
        for run in runs
    )


def _costs(runs: Sequence[Run]) -> list[str]:
    """The cells from the parameters to the time of building."""
    first = runs[0]
    done = deviating((len(run["epochs"]) for run in runs), 0).removesuffix(" ± 0")
    cut = is_cut(first)
    return [
        *_size(first),
        f"{done} of {first['planned_epochs']}" if cut else done,
        f"{median(seconds for run in runs for seconds in run['epochs']):.1f}",
        f"~{whole_run(runs):,.0f}" if cut else deviating((run["seconds"] for run in runs), 1),
        f"{mean(run['building'] for run in runs):.1f}",
    ]


def _size(run: Run) -> list[str]:
    return [f"{run['parameters']:,}", f"{run['macs'] / 1e6:,.1f} M"]


def _ratio(baseline: float | None, runs: Sequence[Run]) -> str:
    return f"{baseline / whole_run(runs):.1f}x" if baseline else ""


def _reached(runs: Sequence[Run], splits: Sequence[str]) -> list[str]:
    """Accuracy and macro F1 of each split, plain / flip."""
    return [
        " / ".join(
            deviating((scale * run["scores"][name][key] for run in runs), decimals)
            for name in (split, f"{split}_flip")
        )
        for split in splits
        for key, scale, decimals in (("accuracy", 100, 2), ("macro_f1", 1, 3))
    ]
