"""Stage `train`: fit the expression classifier.  ARRAYS -> OUT  (params: train).

Reads   ARRAYS/train, ARRAYS/val and ARRAYS/classes.json.
Writes  OUT/model.keras  the fitted network without optimizer state; takes uint8 pictures
        OUT/history.csv  epoch, learning_rate, loss, accuracy, val_loss, val_accuracy; one row an
                         epoch, written after each
A killed run continues from its last epoch when it is started again with the same inputs and
parameters; until it has finished, its state is kept in RESUME.
"""

from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import remove_leftovers, repository
from facial_expression.core.params import load
from facial_expression.network.recipe import Recipe
from facial_expression.train.run import train


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and train."""
    paths = {
        "--params": "YAML with a section train:",
        "--arrays": "folder of stage preprocess",
        "--out": "folder to write to",
    }
    arguments = parser("stages.train", __doc__, paths)
    arguments.add_argument(
        "--resume",
        type=Path,
        default=repository() / ".resume",
        help="folder for interrupted runs' states",
    )
    args = arguments.parse_args(argv)
    remove_leftovers(args.out)
    recipe = load(args.params, "train", Recipe)
    train(recipe, args.arrays, args.out, args.resume, Path(__file__))


if __name__ == "__main__":
    run(main)
