"""Accuracy of a network under eight corruptions in five strengths (Hendrycks & Dietterich 2019).

    python -m tools.robustness --out DIR [--model FILE] [--arrays DIR] [--split val]

Reads the model and the arrays of one split, which stay as they are.  Corruptions are made in
memory by tools/robustness/corruptions.py, which says what each strength is; they are
seeded, so two runs give the same table.  Prints the table as Markdown and writes

    DIR/robustness.csv   corruption, strength (0: none), its value, n, accuracy with its 95 %
                         interval, macro F1
    DIR/robustness.png   the accuracies as curves
    DIR/corruptions.png  with --sheet: one picture of the split under every corruption (keep it
                         out of git where the pictures show other people)
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from facial_expression.core.arrays import Split, read_split
from facial_expression.core.command import at_least
from facial_expression.core.errors import run
from facial_expression.core.files import write_bytes, write_csv
from facial_expression.core.labels import read_classes
from facial_expression.network.backend import configure
from tools.arguments import add_prediction
from tools.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupted

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

CLEAN = "none"
COLOUR, DPI = "#2b6cb0", 120


class Row(NamedTuple):
    """One line of the table; scores in [0, 1], `value` is None for the pictures as they are."""

    corruption: str
    strength: int
    value: float | None
    n: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float


def measure(model: keras.Model, split: Split, seed: int, batch_size: int) -> list[Row]:
    """Scores of the split as it is and under every corruption and strength."""
    from facial_expression.metrics.scores import headline
    from facial_expression.network.predict import predicted

    cases = [(CLEAN, 0, None)] + [
        (name, strength, float(corruption.values[strength - 1]))
        for name, corruption in CORRUPTIONS.items()
        for strength in STRENGTHS
    ]
    rows = []
    for name, strength, value in tqdm(cases, disable=None, unit="corruption"):
        pictures = corrupted(split.images, name, strength, seed)
        scores = headline(split.labels, predicted(model, pictures, batch_size).astype(float))
        kept = (scores[key] for key in Row._fields[4:])
        rows.append(Row(name, strength, value, len(split), *kept))
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """Accuracies in percent as a Markdown table, one line a corruption, with means."""
    clean, *others = rows
    strengths = " | ".join(map(str, STRENGTHS))
    lines = [
        f"| accuracy, % (as it is: {100 * clean.accuracy:.1f}) | {strengths} | mean |",
        f"|---|{'---|' * (len(STRENGTHS) + 1)}",
    ]
    for name, corruption in CORRUPTIONS.items():
        scores = [row.accuracy for row in others if row.corruption == name]
        values = ", ".join(f"{value:g}" for value in corruption.values)
        lines.append(f"| {name} ({corruption.measure}: {values}) | {_cells(scores)} |")
    columns = [[row.accuracy for row in others if row.strength == k] for k in STRENGTHS]
    lines.append(f"| mean | {_cells([sum(column) / len(column) for column in columns])} |")
    return lines


def draw(rows: Sequence[Row], split: str) -> Figure:
    """The accuracies as curves."""
    from tools.robustness.figure import Curve, accuracy_by_strength

    clean, *others = rows
    curves = {}
    for name, corruption in CORRUPTIONS.items():
        mine = [clean, *(row for row in others if row.corruption == name)]
        curves[name] = Curve(
            corruption.measure,
            corruption.values,
            [row.accuracy for row in mine],
            [row.accuracy_low for row in mine],
            [row.accuracy_high for row in mine],
        )
    title = f"Accuracy on corrupted {split} (n = {clean.n:,}; band: 95 %, dashes: as it is)"
    return accuracy_by_strength(curves, title, COLOUR)


def draw_sheet(split: Split, seed: int) -> Figure:
    """The split's first picture under every corruption."""
    import numpy as np

    from tools.robustness.figure import corruption_sheet

    one = split.images[:1]
    pictures = {
        name: np.concatenate([corrupted(one, name, strength, seed) for strength in (0, *STRENGTHS)])
        for name in CORRUPTIONS
    }
    return corruption_sheet(pictures, {name: each.values for name, each in CORRUPTIONS.items()})


def _cells(scores: Sequence[float]) -> str:
    return " | ".join(f"{100 * score:.1f}" for score in [*scores, sum(scores) / len(scores)])


def _write_figure(path: Path, figure: Figure) -> None:
    from facial_expression.plot.style import png

    write_bytes(path, png(figure, DPI))


def main(argv: Sequence[str] | None = None) -> None:
    """Read, measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.robustness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--model", type=Path, default=Path("data/model/model.keras"))
    parser.add_argument("--arrays", type=Path, default=Path("data/arrays"))
    parser.add_argument("--split", default="val", help="train, val (default) or test")
    parser.add_argument(
        "--seed", type=at_least(0), default=0, help="of the corruptions (default 0)"
    )
    add_prediction(parser)
    parser.add_argument("--sheet", action="store_true", help="write corruptions.png as well")
    args = parser.parse_args(argv)
    split = read_split(args.arrays, args.split)
    classes = read_classes(args.arrays / "classes.json")
    configure(args.backend, args.threads)
    from facial_expression.network.loading import load_classifier

    model, _ = load_classifier(args.model, len(classes), split.images.shape[1])
    rows = measure(model, split, args.seed, args.batch_size)
    print("\n".join(table(rows)))
    write_csv(args.out / "robustness.csv", Row._fields, rows)
    _write_figure(args.out / "robustness.png", draw(rows, args.split))
    if args.sheet:
        _write_figure(args.out / "corruptions.png", draw_sheet(split, args.seed))


if __name__ == "__main__":
    run(main)
