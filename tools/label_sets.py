"""Score one model against two label sets side by side: FER2013's folders and FER+.

    python -m tools.label_sets data/evaluation/predictions/val.csv --votes fer2013new.csv

Reads  predictions/<split>.csv of stage evaluate, and the votes (either form of the table).
Prints a Markdown table, and writes it to --out if given: accuracy with its 95 % interval and macro
F1 (of the classes that occur) against the folders' labels and against FER+'s, with and without the
published filter, each time on the same pictures: those that have both labels.
A model with a class contempt is scored on eight classes, any other on seven.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from facial_expression.core.command import parser
from facial_expression.core.errors import DatasetError, run
from facial_expression.core.files import write_text
from facial_expression.core.tables import markdown, read_table
from facial_expression.index import ferplus

COLUMNS = {"path": str, "actual": str, "predicted": str}
HEADER = ("pictures", "n", "labels", "accuracy", "95 % interval", "macro F1")
FILTERS: dict[ferplus.Filter, str] = {
    "none": "most voted FER+ column is a class (filter none)",
    "published": "more than half agree on a class (filter published)",
}


def scored(predicted: pd.Series, labels: pd.Series, classes: Sequence[str]) -> dict[str, float]:
    """n, accuracy with its interval and macro F1 of predicted classes (N,) against labels (N,).

    Macro F1 is over the classes that occur: no folder is called contempt.

    Raises:
        DatasetError: N is 0, or a label is not a class of the model.
    """
    from facial_expression.metrics.scores import headline, macro_f1

    strange = sorted(set(labels) - set(classes))
    if strange or labels.empty:
        raise DatasetError(
            f"expected pictures with labels among the model's classes {', '.join(classes)}, found "
            f"{', '.join(strange) or 'no picture'}; score predictions of FER2013's pictures"
        )
    actual, guessed = (pd.Categorical(names, classes).codes for names in (labels, predicted))
    scores = headline(actual, np.eye(len(classes))[guessed])  # the class alone, no probabilities
    return scores | {"macro_f1": macro_f1(actual, guessed)}


def compared(table: pd.DataFrame, votes: ferplus.Votes, classes: Sequence[str]) -> str:
    """The Markdown table, and below it how often the two label sets agree.

    `table` is predictions/<split>.csv, N rows; `votes` are of its pictures, (N, 10).

    Raises:
        DatasetError: a path names no folder, or see `scored`.
    """
    guess, folders = table["predicted"], table["path"].str.split("/").str[1]
    if folders.isna().any():
        what, found = "paths <split>/<class>/<name>", repr(table["path"][folders.isna()].iloc[0])
        again = "run the evaluate stage again"
        raise DatasetError.expected("predictions", what, f"{found:.200}", again)
    rows = [("all", "folders", scored(guess, folders, classes))]
    agreement = []
    count: Literal[7, 8] = 8 if "contempt" in classes else 7
    for name, pictures in FILTERS.items():
        rules = ferplus.Labels("ferplus", "", "", "majority", count, name)
        labels = ferplus.labelled(votes, rules, pd.Series(False, index=table.index))["class"]
        some = labels != ""
        rows.append((pictures, "folders", scored(guess[some], folders[some], classes)))
        rows.append((pictures, "FER+", scored(guess[some], labels[some], classes)))
        share = 100 * (labels == folders)[some].mean()
        agreement.append(f"{share:.2f} % of {some.sum():,} pictures (filter {name})")
    cells = [
        [
            *(pictures, f"{scores['n']:,}", name, f"{100 * scores['accuracy']:.2f} %"),
            f"{100 * scores['accuracy_low']:.2f} to {100 * scores['accuracy_high']:.2f}",
            f"{scores['macro_f1']:.4f}",
        ]
        for pictures, name, scores in rows
    ]
    said = f"The folder's label is the FER+ label for {' and '.join(agreement)}."
    return f"{markdown([HEADER, *cells])}\n\n{said}\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, print the table."""
    command = parser("tools.label_sets", __doc__)
    command.add_argument("predictions", type=Path, help="predictions/<split>.csv of stage evaluate")
    command.add_argument("--votes", type=Path, required=True, help="table of FER+ votes")
    command.add_argument("--out", type=Path, help="Markdown file to write as well")
    args = command.parse_args(argv)
    table = read_table(args.predictions, COLUMNS, "the evaluate stage")
    votes = ferplus.read_votes(args.votes, table["path"])
    text = compared(table, votes, sorted(set(table) - set(COLUMNS)))
    print(text, end="")
    if args.out:
        write_text(args.out, text)


if __name__ == "__main__":
    run(main)
