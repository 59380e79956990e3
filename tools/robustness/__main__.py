"""Accuracy of a network under eight corruptions in five strengths (Hendrycks & Dietterich 2019).

    python -m tools.robustness --out DIR [--model FILE] [--arrays DIR] [--split val]

Reads the model and the arrays of one split; they stay unchanged.  The corruptions are made in
memory by tools/robustness/corruptions.py, which defines each strength.  They are seeded, so two
runs give the same table.  Prints the table as Markdown and writes

    DIR/robustness.csv   corruption, strength (0: none), its value, n, accuracy with its 95 %
                         interval, macro F1
    DIR/robustness.png   the accuracies as curves
    DIR/corruptions.png  with --sheet: one picture of the split under every corruption (if the
                         pictures show other people, keep it out of git)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from facial_expression.core import tables
from facial_expression.core.arrays import Split, read_split
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import run
from facial_expression.core.files import write_bytes
from facial_expression.core.labels import read_classes
from facial_expression.network.backend import configure
from tools.arguments import add_prediction
from tools.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupted

if TYPE_CHECKING:
    import keras
    import pandas as pd

CLEAN = "none"
SCORES = ("n", "accuracy", "accuracy_low", "accuracy_high", "macro_f1")
COLOUR, DPI = "#2b6cb0", 120


def measure(model: keras.Model, split: Split, seed: int, batch_size: int) -> pd.DataFrame:
    """Scores of the split without corruption (first row) and of every corruption and strength.

    Returns:
        Columns corruption, strength, value (NaN in the first row), and `SCORES`.
    """
    import pandas as pd

    from facial_expression.metrics.scores import headline
    from facial_expression.network.predict import predicted

    cases = [(CLEAN, 0, np.nan)] + [
        (name, strength, value)
        for name, corruption in CORRUPTIONS.items()
        for strength, value in zip(STRENGTHS, corruption.values, strict=True)
    ]
    images, rows = np.asarray(split.images), []
    for name, strength, value in tqdm(cases, disable=None, unit="corruption"):
        pictures = corrupted(images, name, strength, seed)
        scores = headline(split.labels, predicted(model, pictures, batch_size).astype(float))
        rows.append((name, strength, float(value), *(scores[key] for key in SCORES)))
    return pd.DataFrame(rows, columns=["corruption", "strength", "value", *SCORES])


def markdown(table: pd.DataFrame) -> str:
    """Accuracies in percent as a Markdown table, a row a corruption, with means."""
    clean = table["accuracy"].iloc[0]
    wide = table.iloc[1:].pivot(index="corruption", columns="strength", values="accuracy")
    wide = 100 * wide.reindex(list(CORRUPTIONS))
    wide.loc["mean"] = wide.mean()
    wide["mean"] = wide.mean(axis=1)
    names = {
        name: f"{name} ({each.measure}: {', '.join(f'{value:g}' for value in each.values)})"
        for name, each in CORRUPTIONS.items()
    }
    header = [f"accuracy, % (no corruption: {100 * clean:.1f})", *map(str, wide)]
    rows = [
        [names.get(name, name), *(f"{score:.1f}" for score in scores)]
        for name, *scores in wide.itertuples()
    ]
    return tables.markdown([header, *rows])


def main(argv: Sequence[str] | None = None) -> None:
    """Read, measure, print and write."""
    arguments = parser("tools.robustness", __doc__, {"--out": "folder to write to"})
    add = arguments.add_argument
    add("--model", type=Path, default=Path("data/model/model.keras"))
    add("--arrays", type=Path, default=Path("data/arrays"))
    add("--split", default="val", help="train, val (default) or test")
    add("--seed", type=at_least(0), default=0, help="of the corruptions (default 0)")
    add_prediction(arguments)
    add("--sheet", action="store_true", help="write corruptions.png as well")
    args = arguments.parse_args(argv)
    split = read_split(args.arrays, args.split)
    classes = read_classes(args.arrays / "classes.json")
    configure(args.backend, args.threads)
    from facial_expression.network.keras_file import load_classifier
    from facial_expression.plot.style import png
    from tools.robustness.figure import accuracy_by_strength, corruption_sheet

    model, _ = load_classifier(args.model, len(classes), split.images.shape[1])
    table = measure(model, split, args.seed, args.batch_size)
    print(markdown(table))
    tables.write_table(args.out / "robustness.csv", table)
    drawings = {"robustness": accuracy_by_strength(table, args.split, COLOUR)}
    if args.sheet:
        drawings["corruptions"] = corruption_sheet(split.images[np.array([0])][0], args.seed)
    for name, figure in drawings.items():
        write_bytes(args.out / f"{name}.png", png(figure, DPI))


if __name__ == "__main__":
    run(main)
