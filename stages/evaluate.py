"""Stage `evaluate`: score the network.  INDEX, ARRAYS, MODEL -> OUT  (params: evaluate).

Reads   ARRAYS/<split> of the splits to score, MODEL, protocol and labels from INDEX/audit.json,
        people.csv, and backend and threads from the recipe.
Writes  OUT/metrics.json  the headline: accuracy, macro F1, calibration error
        OUT/scores.json   scores by split: plain, averaged over both mirror images (_flip) and
                          over 18 moved views (_views), without leaks (_leak_free), by attribute
                          where people.csv has some; calibration, selective prediction
        OUT/predictions/<split>.csv, tables of the reported split (the last one), saliency.npz
dvc.yaml says what each file holds.
"""

from collections.abc import Sequence

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import remove_leftovers
from facial_expression.core.params import load
from facial_expression.evaluate.run import EvaluateParameters, evaluate
from facial_expression.network.recipe import Recipe

PATHS = {
    "--params": "YAML with section evaluate:",
    "--recipe": "YAML with section train:",
    "--index": "folder of stage index; reads audit.json",
    "--people": "people.csv",
    "--arrays": "folder of stage preprocess",
    "--model": "model.keras",
    "--out": "folder to write to",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, evaluate, print the headline scores."""
    args = parser("stages.evaluate", __doc__, PATHS).parse_args(argv)
    remove_leftovers(args.out)
    params = load(args.params, "evaluate", EvaluateParameters)
    recipe = load(args.recipe, "train", Recipe)
    inputs = args.arrays, args.model, args.index, args.people
    scores = evaluate(params, recipe, *inputs, args.out)
    for name in params.splits:
        s = scores[name]
        print(
            f"{name}: accuracy {s['accuracy']:.4f} (95 % interval {s['accuracy_low']:.4f} to "
            f"{s['accuracy_high']:.4f}), macro F1 {s['macro_f1']:.4f}, n = {s['n']}"
        )
        if absent := scores["classes_absent"][name]:
            print(
                f"{name}: no picture of {', '.join(absent)}; macro F1 counts them as 0, balanced "
                "accuracy leaves them out"
            )


if __name__ == "__main__":
    run(main)
