"""Stage `train`: fit the expression classifier.  ARRAYS -> OUT  (params: train).

Reads   ARRAYS/train, ARRAYS/val and ARRAYS/classes.json.
Writes  OUT/model.keras  the fitted network without optimizer state, uint8 pictures in
        OUT/history.csv  epoch, learning_rate, loss, accuracy, val_loss, val_accuracy; grows an
                         epoch at a time
A killed run continues from its last epoch when it is started again with the same inputs and
parameters; its state lies in RESUME until the run has finished.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.errors import run
from facial_expression.core.params import load
from facial_expression.network.recipe import Recipe
from facial_expression.train.run import train


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", type=Path, required=True, help="YAML with a section train:")
    parser.add_argument("--arrays", type=Path, required=True, help="folder of stage preprocess")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--resume", type=Path, default=Path(".resume"), help="state of broken runs")
    args = parser.parse_args(argv)
    recipe = load(args.params, "train", Recipe)
    train(recipe, args.arrays, args.out, args.resume, Path(__file__))


if __name__ == "__main__":
    run(main)
