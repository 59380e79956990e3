"""What each ingredient of a recipe is worth: one change at a time, scored on val only.

    python -m benchmarks.ablations data/arrays --recipe fast --seeds 0 1 --threads 1
    python -m benchmarks.ablations data/arrays --only mixup --seeds 2
    python -m benchmarks.ablations --table

The changes, and what was predicted for each, are in ablations.yaml beside this file.  Each fit runs
in a process of its own, one after the other.  Figures are written after each fit; a fit that is
there already with the same parameters is not repeated.  If a fit fails, its error is printed and
the next one follows.  The table shows CPU seconds, which other work on the machine changes least.
"""

import itertools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from benchmarks.measuring import ROOT, apart, describe_machine, deviating
from benchmarks.time_to_accuracy import find_recipe
from benchmarks.timed_fit import fit
from facial_expression.core.command import parser
from facial_expression.core.errors import ParameterError, TrainingError, run
from facial_expression.core.files import write_json
from facial_expression.core.params import CLOSED, checked, load
from facial_expression.core.tables import markdown
from facial_expression.network.recipe import Recipe
from tools.sweep.space import varied

FILE = ROOT / "benchmarks/ablations.yaml"
BASELINE = "baseline"  # the recipe without a change
HEADER = (
    *("ingredient", "change", "predicted", "val accuracy, %", "to the baseline"),
    *("macro F1", "CPU s", "kept?"),
)
NOTES = """\
{epochs} epochs; threads: {threads}; each change alone, against the recipe as it is.  To the
baseline: difference in points ± its standard error, from the pictures of val on which the fits
disagree; less than twice that is no evidence.  Other ±: standard deviation over seeds.  Seeds of
the baseline: {seeds}.  CPU s: of the fit, over all threads; in brackets: divided by the baseline's.
Kept: the recipe has the ingredient, and the change removes it; dropped: the change adds it."""

Values = dict[str, Any]
"""A recipe, a `timed_fit.Result`, or all figures, as a dictionary."""


@dataclass(frozen=True, config=CLOSED)
class Ingredient:
    """One line of the table.

    `change` holds dotted keys of a recipe and their values: it removes the ingredient if the recipe
    has it (`kept`), and adds it otherwise.  `prediction` was written before the measurement.
    """

    name: str
    change: dict[str, str | int | float]
    prediction: str
    kept: bool


@dataclass(frozen=True, config=CLOSED)
class Ablations:
    """The section of a recipe in ablations.yaml."""

    ingredients: tuple[Ingredient, ...]


def chosen(
    ingredients: Sequence[Ingredient], only: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """The changes to fit, by name: the baseline, then some ingredients or all.

    Raises:
        ParameterError: there is no ingredient of that name.
    """
    changes: dict[str, dict[str, Any]] = {BASELINE: {}}
    changes |= {one.name: one.change for one in ingredients}
    if unknown := sorted(set(only or ()) - set(changes)):
        known = ", ".join(f"'{name}'" for name in changes)
        raise ParameterError(f"--only: expected some of {known}, found '{unknown[0]}'")
    wanted = changes if only is None else {BASELINE, *only}
    return {name: change for name, change in changes.items() if name in wanted}


def recipes(baseline: Values, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Recipe]:
    """The baseline with each change, by name.

    Raises:
        ParameterError: a change changes nothing, or makes an invalid recipe.
    """
    found = {}
    for name, change in changes.items():
        found[name] = checked(varied(baseline, change, f"'{name}'"), "train", Recipe, f"'{name}'")
        if change and asdict(found[name]) == baseline:
            raise ParameterError(
                f"'{name}': expected another recipe, found the same; the recipe has this value"
            )
    return found


def measure(
    arrays: Path,
    baseline: Values,
    changes: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    out: Path,
) -> int:
    """Fit what `out` does not have yet: all changes with the first seed, then with the second ...

    `out` is a JSON file, written after each fit: machine, baseline's parameters, and runs, each a
    `timed_fit.Result` with the name of its ingredient.

    Returns:
        How many fits failed.

    Raises:
        ParameterError: see `recipes`; nothing was fitted then.
    """
    runs: list[Values] = read(out)["runs"] if out.exists() else []
    machine, failed = describe_machine(["keras", "numpy"]), 0
    todo = recipes(baseline, changes)
    for seed, (name, recipe) in itertools.product(seeds, todo.items()):
        seeded = replace(recipe, seed=seed)
        wanted = json.loads(json.dumps(asdict(seeded)))  # as the file holds it
        if all(one["recipe"] != wanted for one in runs):
            try:
                fitted = apart(fit, seeded, arrays, False)
            except TrainingError as error:  # a learning rate too high, for example
                print(f"{name}, seed {seed}: error: {error}", file=sys.stderr, flush=True)
                failed += 1
                continue
            runs.append({"ingredient": name} | fitted)
            accuracy = fitted["scores"]["val"]["accuracy"]
            print(f"{name}, seed {seed}: {fitted['cpu']:.0f} CPU s, {accuracy:.4f}", flush=True)
        write_json(out, {"machine": machine, "baseline": baseline, "runs": runs})
    return failed


def read(out: Path) -> Values:
    """What `measure` wrote.

    Raises:
        ParameterError: there is no such file.
    """
    if not out.exists():
        raise ParameterError(f"--out: expected figures of an earlier call, found no file {out}")
    figures: Values = json.loads(out.read_text(encoding="utf-8"))
    return figures


def table(figures: Values, ingredients: Iterable[Ingredient]) -> str:
    """A Markdown table with a row for the baseline and for each ingredient that `measure` fitted.

    Raises:
        ParameterError: there is no run of the baseline.
    """
    recipe, baseline = figures["baseline"], _runs_of(figures, {})
    if not baseline:
        raise ParameterError("expected a fit of the baseline, found none; run `--only baseline`")
    rows = [HEADER, (BASELINE, "", "", _accuracy(baseline), "", *_costs(baseline, baseline), "")]
    for one in ingredients:
        if runs := _runs_of(figures, one.change):
            change = ", ".join(f"`{key}={value}`" for key, value in one.change.items())
            difference = "{:+.2f} ± {:.2f}".format(*compared(runs, baseline))
            start = (one.name, change, one.prediction, _accuracy(runs), difference)
            rows.append((*start, *_costs(runs, baseline), "kept" if one.kept else "dropped"))
    seeds = ", ".join(str(one["recipe"]["seed"]) for one in baseline)
    notes = NOTES.format(epochs=recipe["epochs"], threads=recipe["threads"], seeds=seeds)
    return f"{markdown(rows)}\n\n{notes}\n\n{figures['machine']}"


def compared(runs: Sequence[Values], baseline: Sequence[Values]) -> tuple[float, float]:
    """Difference in accuracy and its standard error, both in points of 100.

    For each picture of val the mean over seeds is taken first; then the mean of the differences
    over the pictures, and its standard error.  For one run against one it is McNemar's comparison
    of two classifiers (Dietterich 1998, "Approximate Statistical Tests for Comparing Supervised
    Classification Learning Algorithms").
    """
    differences = 100 * (_hits(runs).mean(axis=0) - _hits(baseline).mean(axis=0))
    return float(differences.mean()), float(differences.std(ddof=1) / len(differences) ** 0.5)


def _runs_of(figures: Values, change: Mapping[str, Any]) -> list[Values]:
    """The runs of the baseline with a change, of all seeds."""
    wanted = varied(figures["baseline"], change, "the baseline") | {"seed": None}
    return [one for one in figures["runs"] if one["recipe"] | {"seed": None} == wanted]


def _hits(runs: Sequence[Values]) -> NDArray[np.uint8]:
    """Which pictures of val each run classifies right, 0 or 1, (runs, pictures)."""
    digits = [np.frombuffer(bytes.fromhex(one["val_hits"]), np.uint8) for one in runs]
    return np.unpackbits(np.stack(digits), axis=1, count=runs[0]["scores"]["val"]["n"])


def _accuracy(runs: Sequence[Values]) -> str:
    return deviating((100 * one["scores"]["val"]["accuracy"] for one in runs), 2)


def _costs(runs: Sequence[Values], baseline: Sequence[Values]) -> tuple[str, str]:
    """The cells of macro F1 and time."""
    ours, theirs = (mean(one["cpu"] for one in some) for some in (runs, baseline))
    macro_f1 = deviating((one["scores"]["val"]["macro_f1"] for one in runs), 3)
    return macro_f1, f"{ours:.0f} ({ours / theirs:.2f})"


def main(argv: Sequence[str] | None = None) -> None:
    """Fit what is not measured yet and print the table."""
    arguments = parser("benchmarks.ablations", __doc__)
    arguments.add_argument("arrays", type=Path, nargs="?", help="folder of stage preprocess")
    arguments.add_argument("--recipe", default="fast", help="name; a section of ablations.yaml")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments.add_argument("--only", nargs="+", metavar="NAME", help="these, and the baseline")
    arguments.add_argument("--threads", type=int, default=1, help="instead of the recipe's")
    arguments.add_argument("--out", type=Path, default=ROOT / "results/ablations.json")
    arguments.add_argument("--table", action="store_true", help="fit nothing: the table of --out")
    args = arguments.parse_args(argv)
    ingredients = load(FILE, args.recipe, Ablations).ingredients
    failed = 0
    if not args.table:
        if args.arrays is None:
            arguments.error("expected the folder of stage preprocess, or --table")
        recipe = asdict(find_recipe(args.recipe)) | {"threads": args.threads}
        changes = chosen(ingredients, args.only)
        failed = measure(args.arrays, recipe, changes, args.seeds, args.out)
    print("\n" + table(read(args.out), ingredients))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    run(main)
