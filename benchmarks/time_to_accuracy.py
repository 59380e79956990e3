"""Training time and scores of each recipe: same splits, same machine, one table.

    python -m benchmarks.time_to_accuracy data/arrays --recipes seed fast compact --epochs seed=1

Every fit runs in a process of its own; each round goes through all recipes with one seed, so that
other work on the machine slows all of them alike.  If --epochs shortens a recipe, its row says so,
and its whole run is extrapolated from the measured epochs.  Without --test only val (PublicTest) is
scored.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.measuring import ROOT, apart, describe_machine, deviating
from benchmarks.timed_fit import Result, fit
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import write_json, write_text
from facial_expression.core.params import load
from facial_expression.core.tables import markdown
from facial_expression.network.recipe import Recipe

RECIPES = ROOT / "conf/recipe"
KNOWN = sorted(path.stem for path in RECIPES.glob("*.yaml"))
SPLITS = ("val", "test", "all")
BASELINE = "seed"  # the recipe that the others are compared with
COLUMNS = ("recipe", "parameters", "MACs", "epochs", "s an epoch", "s a fit", "of them building")
NOTES = """\
Mean ± standard deviation over the seeds; accuracy in %, plain / averaged with the mirror image.
Reading the pictures, augmentation, validation and averaging count.  ~: extrapolated from the epochs
that were measured."""


def find_recipe(name: str) -> Recipe:
    """The recipe of that name, one of `KNOWN`."""
    return load(RECIPES / f"{name}.yaml", "train", Recipe)


def table(runs: dict[str, list[Result]]) -> str:
    """A Markdown table with a row for each recipe."""
    scored = next(iter(runs.values()))[0]["scores"]
    splits = [split for split in SPLITS if split in scored]
    baseline = whole_run(runs[BASELINE]) if BASELINE in runs else 0

    def ratio(found: Sequence[Result]) -> str:
        return f"{baseline / whole_run(found):.1f}x" if baseline else ""

    header = [*COLUMNS, f"{BASELINE}'s time over it"]
    header += [f"{split} {what}" for split in splits for what in ("accuracy", "macro F1")]
    rows = [
        [name, *_costs(found), ratio(found), *_reached(found, splits)]
        for name, found in runs.items()
    ]
    return f"{markdown([header, *rows])}\n\n{NOTES}"


def whole_run(runs: Sequence[Result]) -> float:
    """Mean seconds of a recipe's fit; a shortened run is extrapolated."""
    return mean(
        run["building"] + run["planned_epochs"] * median(run["epochs"])
        if run["recipe"]["epochs"] < run["planned_epochs"]
        else run["seconds"]
        for run in runs
    )


def _costs(runs: Sequence[Result]) -> list[str]:
    """The cells from the parameters to the time of building."""
    first = runs[0]
    done = deviating((len(run["epochs"]) for run in runs), 0).removesuffix(" ± 0")
    cut = first["recipe"]["epochs"] < first["planned_epochs"]
    return [
        *(f"{first['parameters']:,}", f"{first['macs'] / 1e6:,.1f} M"),
        f"{done} of {first['planned_epochs']}" if cut else done,
        f"{median(seconds for run in runs for seconds in run['epochs']):.1f}",
        f"~{whole_run(runs):,.0f}" if cut else deviating((run["seconds"] for run in runs), 1),
        f"{mean(run['building'] for run in runs):.1f}",
    ]


def _reached(runs: Sequence[Result], splits: Sequence[str]) -> list[str]:
    """Accuracy and macro F1 of each split, plain / flip."""
    return [
        " / ".join(
            deviating((scale * run["scores"][name][key] for run in runs), decimals)
            for name in (split, f"{split}_flip")
        )
        for split in splits
        for key, scale, decimals in (("accuracy", 100, 2), ("macro_f1", 1, 3))
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every recipe and print one table."""
    arguments = parser("benchmarks.time_to_accuracy", __doc__)
    arguments.add_argument("arrays", type=Path, help="folder of stage preprocess")
    default = ["seed", "fast", "compact"]
    arguments.add_argument("--recipes", nargs="+", choices=KNOWN, default=default, help="names")
    arguments.add_argument(
        "--epochs", nargs="+", default=[], metavar="NAME=N", help="cut these short"
    )
    arguments.add_argument("--seeds", nargs="+", type=at_least(0), default=[0, 1, 2])
    arguments.add_argument("--test", action="store_true", help="score test: only frozen recipes")
    arguments.add_argument("--out", type=Path, help="folder for time_to_accuracy.json and .md")
    args = arguments.parse_args(argv)
    recipes = {name: find_recipe(name) for name in args.recipes}
    cut = read_epochs(args.epochs, args.recipes)
    figures: dict[str, Any] = {"machine": describe_machine(["keras", "numpy"]), "runs": {}}
    for seed, (name, recipe) in itertools.product(args.seeds, recipes.items()):
        epochs = cut.get(name, recipe.epochs)
        changed = replace(recipe, seed=seed, epochs=epochs)
        found = apart(fit, changed, args.arrays, args.test) | {"planned_epochs": recipe.epochs}
        figures["runs"].setdefault(name, []).append(found)
        accuracy = found["scores"]["val"]["accuracy"]
        print(f"{name}, seed {seed}: {found['seconds']:.1f} s, val {accuracy:.4f}", flush=True)
        text = _write(figures, args.out)
    print("\n" + text)


def read_epochs(texts: Sequence[str], recipes: Sequence[str]) -> dict[str, int]:
    """Epochs by recipe out of texts like `seed=2`.

    >>> read_epochs(["seed=2"], ["seed", "fast"])
    {'seed': 2}

    Raises:
        ParameterError: a text is no such thing, or names another recipe.
    """
    epochs = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in recipes or not number.isdecimal() or int(number) < 1:
            raise ParameterError(
                f"--epochs: expected NAME=N with a name of --recipes and N >= 1, found '{text}'"
            )
        epochs[name] = int(number)
    return epochs


def _write(figures: dict[str, Any], out: Path | None) -> str:
    text = f"{table(figures['runs'])}\n\n{figures['machine']}\n"
    if out:
        write_json(out / "time_to_accuracy.json", figures)
        write_text(out / "time_to_accuracy.md", text)
    return text


if __name__ == "__main__":
    run(main)
