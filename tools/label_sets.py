"""Score one model against two label sets side by side: FER2013's folders and FER+.

    python -m tools.label_sets data/evaluation/predictions/val.csv --votes fer2013new.csv

Reads  predictions/<split>.csv of stage evaluate, and the votes (either form of the table).
Prints a Markdown table, and writes it to --out if that is given: accuracy with its 95 % interval
and macro F1 (of the classes that occur) against the folders' labels and against FER+'s, with and
without the published filter, each time on the same pictures: those that have both labels.
A model that knows contempt is scored on eight classes, any other on seven.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from facial_expression.core.errors import DatasetError, run
from facial_expression.core.files import read_csv, write_text
from facial_expression.core.labels import class_order
from facial_expression.index import ferplus, votes

HEADER = ("pictures", "n", "labels", "accuracy", "95 % interval", "macro F1")
FILTERS: dict[ferplus.Filter, str] = {
    "none": "most voted FER+ column is a class (filter none)",
    "published": "more than half agree on a class (filter published)",
}


def read_predictions(path: Path) -> tuple[dict[str, str], list[str]]:
    """The predicted class of each picture by its path, and the classes that the model knows.

    Raises:
        DatasetError: the table is empty or lacks a column.
    """
    rows = list(read_csv(path))
    if not rows or not {"path", "actual", "predicted"} <= rows[0].keys():
        raise DatasetError(
            f"{path}: expected rows with the columns path, actual, predicted and one a class, as "
            "stage evaluate writes them; name a file of data/evaluation/predictions/"
        )
    classes = class_order(rows[0].keys() - {"path", "actual", "predicted"})
    return {row["path"]: row["predicted"] for row in rows}, classes


def folder_labels(pictures: Iterable[str]) -> dict[str, str]:
    """The class that each picture's folder names: <split>/<class>/<name>."""
    return {path: path.split("/")[1] for path in pictures}


def ferplus_labels(
    pictures: Iterable[str], cast: Mapping[str, votes.Votes], rules: ferplus.Labels
) -> dict[str, str]:
    """The FER+ class of each picture that has one under these rules, for evaluation."""
    named = {path: ferplus.label(cast.get(path), rules, "val").name for path in pictures}
    return {path: name for path, name in named.items() if name}


def scored(
    predicted: Mapping[str, str], labels: Mapping[str, str], classes: Sequence[str]
) -> dict[str, float]:
    """n, accuracy with its interval and macro F1 on the pictures of `labels`.

    Macro F1 is over the classes that occur: no folder is called contempt.

    Raises:
        DatasetError: there is no such picture, or a label is no class of the model.
    """
    from facial_expression.metrics.scores import headline, macro_f1_present

    strange = class_order(set(labels.values()) - set(classes))
    if strange or not labels:
        raise DatasetError(
            f"expected pictures with labels among the model's classes {', '.join(classes)}, found "
            f"{', '.join(strange) or 'no picture'}; score predictions of FER2013's pictures"
        )
    position = {name: i for i, name in enumerate(classes)}
    actual = np.array([position[name] for name in labels.values()])
    guessed = np.array([position[predicted[path]] for path in labels])
    scores = headline(actual, np.eye(len(classes))[guessed])  # the class alone, no probabilities
    return scores | {"macro_f1": macro_f1_present(actual, guessed)}


def compared(
    predicted: Mapping[str, str], cast: Mapping[str, votes.Votes], classes: Sequence[str]
) -> str:
    """The Markdown table, and below it how often the two label sets agree."""
    folders = folder_labels(predicted)
    table = [("all", "folders", scored(predicted, folders, classes))]
    agreement = []
    count: Literal[7, 8] = 8 if "contempt" in classes else 7
    for name, pictures in FILTERS.items():
        rules = replace(ferplus.FOLDERS, source="ferplus", classes=count, filter=name)
        theirs = ferplus_labels(predicted, cast, rules)
        ours = {path: folders[path] for path in theirs}
        table.append((pictures, "folders", scored(predicted, ours, classes)))
        table.append((pictures, "FER+", scored(predicted, theirs, classes)))
        same = sum(ours[path] == label for path, label in theirs.items())
        share = 100 * same / len(theirs)
        agreement.append(f"{share:.2f} % of {len(theirs):,} pictures (filter {name})")
    lines = [HEADER, ["---"] * len(HEADER), *(_cells(*row) for row in table)]
    return (
        "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        + f"\n\nThe folder's label is the FER+ label for {' and '.join(agreement)}.\n"
    )


def _cells(pictures: str, labels: str, scores: Mapping[str, float]) -> list[str]:
    low, high = scores["accuracy_low"], scores["accuracy_high"]
    return [
        pictures,
        f"{scores['n']:,}",
        labels,
        f"{100 * scores['accuracy']:.2f} %",
        f"{100 * low:.2f} to {100 * high:.2f}",
        f"{scores['macro_f1']:.4f}",
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.label_sets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", type=Path, help="predictions/<split>.csv of stage evaluate")
    parser.add_argument("--votes", type=Path, required=True, help="table of FER+ votes")
    parser.add_argument("--out", type=Path, help="Markdown file to write as well")
    args = parser.parse_args(argv)
    predicted, classes = read_predictions(args.predictions)
    text = compared(predicted, votes.read(args.votes, predicted), classes)
    print(text, end="")
    if args.out:
        write_text(args.out, text)


if __name__ == "__main__":
    run(main)
