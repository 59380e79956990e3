"""Stage `plot`: draw a run.  IMAGES, INDEX, ARRAYS, HISTORY, EVALUATION -> OUT  (params: plot).

Reads   the tables of INDEX and EVALUATION, HISTORY, EVALUATION/predictions and saliency.npz, and
        the pictures of ARRAYS and IMAGES that the sheets show.
Writes  OUT/*.png, one file a figure.  Scores are those of the test split if it was evaluated, else
        of val.
"""

from collections.abc import Sequence

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import remove_leftovers, write_bytes
from facial_expression.core.params import load

PATHS = {
    "--params": "YAML with section plot:",
    "--images": "images.zip; pictures of the audit sheet",
    "--index": "folder of stage index; reads audit.csv",
    "--arrays": "folder of stage preprocess; reads classes.json, train and the scored split",
    "--history": "history.csv of stage train",
    "--evaluation": "folder of stage evaluate",
    "--out": "folder to write to",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, draw, write each PNG."""
    args = parser("stages.plot", __doc__, PATHS).parse_args(argv)
    remove_leftovers(args.out)
    from facial_expression.plot.run import PlotParameters, draw  # Matplotlib is slow to import
    from facial_expression.plot.style import png

    params = load(args.params, "plot", PlotParameters)
    read = args.images, args.index, args.arrays, args.history, args.evaluation
    for name, figure in draw(params, *read).items():
        write_bytes(args.out / f"{name}.png", png(figure, params.dpi))


if __name__ == "__main__":
    run(main)
