"""Stage `export`: the network for others, with its card.  -> OUT  (params: export).

Reads   MODEL, what evaluate, index and fetch wrote about it, one split of ARRAYS, and the recipe.
Writes  OUT/model.onnx  the network with calibrated probabilities; needs no TensorFlow
        OUT/model.keras, classes.json, calibration.json, parity.json, model_card.md: see dvc.yaml
The folder can be uploaded as it is.  If model.onnx and MODEL differ, nothing is written.
"""

import sys
from collections.abc import Sequence

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import remove_leftovers
from facial_expression.core.params import load
from facial_expression.export.run import ExportParameters, export
from facial_expression.network.recipe import Recipe

PATHS = {
    "--params": "YAML with section export:",
    "--recipe": "YAML with section train:",
    "--source": "source.json of stage fetch",
    "--audit": "audit.json of stage index",
    "--arrays": "folder of stage preprocess",
    "--model": "model.keras",
    "--evaluation": "folder of stage evaluate",
    "--out": "folder to write to",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and write the network and its card."""
    args = parser("stages.export", __doc__, PATHS).parse_args(argv)
    remove_leftovers(args.out)
    params = load(args.params, "export", ExportParameters)
    file = f"conf/data/{args.params.name}"
    recipe = load(args.recipe, "train", Recipe)
    read = args.source, args.audit, args.arrays, args.model, args.evaluation
    export(params, file, recipe, args.recipe.stem, *read, args.out)
    print(f"wrote the network and its card to {args.out}")
    if blanks := [f"export.{name}" for name, text in vars(params).items() if text is None]:
        print(
            f"note: before you publish the card, fill in {', '.join(blanks)} of {args.params}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    run(main)
