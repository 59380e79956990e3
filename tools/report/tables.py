"""The tables of a report, formatted.  A cell is a text, or a value and its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from facial_expression.export.card import AVERAGES, CALIBRATION, SCORES, SPLITS
from tools.report.run import Run

KINDS = {
    "duplicate": "equal grey pixels; the partner is the first such picture",
    "near_duplicate": "one photograph in two files; the score is their similarity",
    "conflicting_label": "a pair of either kind under two classes",
    "blank": "deviation of the grey levels under 1, which is the score",
    "almost_blank": "deviation of the grey levels under 8, which is the score",
    "size_outlier": "unusual width or height; the score is over the median",
    "mode_outlier": "unusual colour mode; the score is its share of the set",
}
SHARES = ("accuracy", "balanced_accuracy", "top_2_accuracy", "overconfidence", "gap")  # in percent
MOST = 10  # confused pairs

Cell = str | tuple[str, str]


@dataclass(frozen=True)
class Table:
    """A caption, the names of the columns, and rows whose first cell is the row's name.

    `words` are the places of further columns that hold words instead of numbers.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: Sequence[int] = ()


def percent(share: float) -> str:
    """.9 -> "90.0 %"."""
    return f"{100 * share:.1f} %"


def interval(scores: Mapping[str, float], name: str) -> Cell:
    """The score and, where it has one, its interval."""
    factor, digits = (100, 1) if name in SHARES else (1, 3)
    unit = " %" if name in SHARES else ""
    value = f"{factor * scores[name]:.{digits}f}{unit}"
    if f"{name}_low" not in scores:
        return value
    low, high = (f"{factor * scores[f'{name}_{end}']:.{digits}f}" for end in ("low", "high"))
    return value, f"{low} to {high}"


def scores(run: Run) -> Table:
    """Every split, in every way it was scored."""
    names = {"accuracy": "accuracy", **SCORES}
    rows: list[list[Cell]] = []
    for split in SPLITS:
        for kind, how in {**AVERAGES, "_leak_free": "plain, without leaks"}.items():
            if found := run.metrics.get(split + kind):
                cells = [interval(found, name) if name in found else "" for name in names]
                rows.append([f"{split}, {how}", f"{found['n']:,}", *cells])
    return Table("Scores by split", ("split", "n", *names.values()), rows)


def per_class(run: Run) -> Table:
    """Precision, recall, F1 and support."""
    found = run.tables["per_class"]
    rows = [
        [row["class"], *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1"))]
        + [f"{row['support']:,}"]
        for row in found.to_dict("records")
    ]
    return Table(f"Scores by class, {run.split}", ("class", "precision", "recall", "F1", "n"), rows)


def attributes(run: Run) -> Table:
    """Scores by what the set states of the people."""
    names = ("accuracy", "balanced_accuracy", "overconfidence", "gap")
    rows: list[list[Cell]] = [
        [
            f"{of['attribute']}: {of['value']}",
            f"{of['n']:,}",
            *(interval(of, name) for name in names),
        ]
        for of in run.metrics.get("attributes", [])
    ]
    header = ("attribute", "n", *(name.replace("_", " ") for name in names))
    return Table(f"Scores by attribute, {run.split}", header, rows)


def confusion(run: Run) -> Table:
    """Counts; rows are the actual classes."""
    found, classes = run.tables["confusion"], list(run.tables["per_class"]["class"])
    counts = pd.crosstab(found["actual"], found["predicted"])
    counts = counts.reindex(index=classes, columns=classes, fill_value=0)
    rows = [[name, *(f"{n:,}" for n in row)] for name, *row in counts.itertuples()]
    return Table(f"Confusion, {run.split}: pictures", ("actual, as predicted", *classes), rows)


def confused_pairs(run: Run) -> Table:
    """The most frequent kinds of mistake."""
    rows = [
        [f"{actual} taken for {predicted}", f"{count:,}", percent(share)]
        for actual, predicted, count, share in run.tables["confused_pairs"]
        .head(MOST)[["actual", "predicted", "count", "share_of_actual"]]
        .itertuples(index=False)
    ]
    return Table(f"Most frequent mistakes, {run.split}", ("mistake", "n", "of that class"), rows)


def calibration(run: Run) -> Table:
    """Before and after the temperature."""
    found = run.metrics["calibration"]
    rows = [
        [name, *(f"{found[when][key]:.4f}" for when in ("before", "after"))]
        for key, name in CALIBRATION.items()
    ]
    return Table(f"Calibration, {run.split}", ("measure", "before", "after"), rows)


def selective(run: Run) -> Table:
    """Accuracy of the surest answers."""
    found = run.metrics["selective"]
    rows = [
        [f"the surest {share} %", percent(found[f"accuracy_at_{share}"])] for share in (50, 80, 90)
    ]
    rows.append(["all", percent(run.scores["accuracy"])])
    return Table(f"If only the surest are answered, {run.split}", ("answered", "accuracy"), rows)


def class_counts(run: Run) -> Table:
    """Pictures used, by class and split."""
    counts = run.tables["class_counts"].pivot_table(
        index="class", columns="split", values="count", aggfunc="sum", fill_value=0
    )
    counts = counts[[name for name in SPLITS if name in counts]]
    counts.loc["all"] = counts.sum()
    rows = [[name, *(f"{n:,}" for n in row)] for name, *row in counts.itertuples()]
    return Table("Pictures used", ("class", *counts.columns), rows)


def findings(run: Run) -> Table:
    """What the audit found, kind by kind, with the first of each."""
    first = {
        row["kind"]: f"{' and '.join(filter(None, (row['path'], row['partner'])))}, "
        f"{row['score']:.3f}"
        for row in run.tables["audit"].drop_duplicates("kind").to_dict("records")
    }
    rows = [
        [kind.replace("_", " "), f"{count:,}", KINDS.get(kind, ""), first.get(kind, "")]
        for kind, count in run.audit["findings"].items()
    ]
    header = ("kind", "n", "what it is", "first, with score")
    return Table("Findings of the audit", header, rows, words=(2, 3))
