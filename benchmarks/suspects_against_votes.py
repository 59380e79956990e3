"""How often FER+ votes contradict the labels that `tools.label_errors` suspects.

    python -m benchmarks.suspects_against_votes OUT/label_errors.csv ferplus.csv data/arrays

FER+ (Barsoum et al. 2016, arXiv:1608.01041) is a second opinion that no network of ours has seen:
ten people voted on each picture.  A label is contradicted where its class is not among the most
voted answers (contempt, unknown and "no face" are answers as well), so that a tie counts for the
label; pictures without votes are left out.  The share among the suspects stands beside that among
all training pictures, and beside the one expected of pictures drawn at random with those labels.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from facial_expression.core.arrays import read_split
from facial_expression.core.errors import DatasetError, run
from facial_expression.core.files import read_csv
from facial_expression.core.labels import read_classes

NAMES = {"happiness": "happy", "sadness": "sad", "anger": "angry"}
"""FER+'s names of our classes, where they differ."""
ABOUT = ("path", "fer2013_row")  # columns that are no votes


class Row(NamedTuple):
    """One line of the table: suspects, those of them with votes, and shares of these in [0, 1]."""

    number: int
    voted: int
    contradicted: float
    by_chance: float
    suggestion_wins: float


def most_voted(path: Path) -> dict[str, set[str]]:
    """The most voted answers, one or several, by path of each picture that has votes."""
    winners = {}
    for row in read_csv(path):
        votes = {NAMES.get(key, key): int(n or 0) for key, n in row.items() if key not in ABOUT}
        most = max(votes.values())
        if most:
            winners[row["path"]] = {answer for answer, n in votes.items() if n == most}
    return winners


def contradiction_rates(
    labels: Mapping[str, str], winners: Mapping[str, set[str]]
) -> dict[str, float]:
    """Share of contradicted labels by class, and of all under the empty name.

    Raises:
        DatasetError: no picture has votes.
    """
    if not labels.keys() & winners.keys():
        raise DatasetError(
            f"expected votes for the {len(labels)} training pictures, found none; give the table "
            "whose column path names them"
        )
    found = defaultdict(list)
    for path, label in labels.items():
        if path in winners:
            for name in ("", label):
                found[name].append(label not in winners[path])
    return {name: sum(flags) / len(flags) for name, flags in found.items()}


def compare(
    suspects: Sequence[Mapping[str, str]],
    winners: Mapping[str, set[str]],
    rates: Mapping[str, float],
    sizes: Sequence[int],
) -> Iterator[Row]:
    """One row for the first so many suspects, as far as there are so many."""
    for size in sorted({min(size, len(suspects)) for size in sizes} - {0}):
        voted = [row for row in suspects[:size] if row["path"] in winners]
        if voted:
            yield Row(
                size,
                len(voted),
                fmean(row["label"] not in winners[row["path"]] for row in voted),
                fmean(rates[row["label"]] for row in voted),
                fmean(row["suggested"] in winners[row["path"]] for row in voted),
            )


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.suspects_against_votes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suspects", type=Path, help="label_errors.csv")
    parser.add_argument("votes", type=Path, help="CSV with path and one column of votes an answer")
    parser.add_argument("arrays", type=Path, help="folder of stage preprocess")
    args = parser.parse_args(argv)
    classes, train = read_classes(args.arrays / "classes.json"), read_split(args.arrays, "train")
    labels = {path: classes[i] for path, i in zip(train.paths, train.labels, strict=True)}
    winners, suspects = most_voted(args.votes), list(read_csv(args.suspects))
    rates = contradiction_rates(labels, winners)
    voted = len(labels.keys() & winners.keys())
    print(f"all {voted:,} training pictures with votes: label contradicted {rates['']:.1%}")
    for row in compare(suspects, winners, rates, (25, 100, 1000, len(suspects))):
        print(
            f"first {row.number:,} suspects ({row.voted:,} with votes): "
            f"label contradicted {row.contradicted:.1%} (of these labels {row.by_chance:.1%} are), "
            f"suggestion among the most voted {row.suggestion_wins:.1%}"
        )


if __name__ == "__main__":
    run(main)
