"""What each ingredient of a recipe is worth: one change at a time, scored on val only.

    python -m benchmarks.ablations data/arrays --recipe fast --seeds 0 1 --threads 1
    python -m benchmarks.ablations data/arrays --only 'class weights' --seeds 2
    python -m benchmarks.ablations --table

The changes, and what was predicted of each, stand in ablations.yaml beside this file.  Every fit
runs in a process of its own, one after the other.  Figures are written after each fit, and one that
is there already with the same parameters is not fitted again.  A fit that fails says why, and the
next one follows.  The table tells CPU seconds, which other work on the machine changes least.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML, YAMLError

from benchmarks.ablation_table import BASELINE, Ingredient, Values, table, varied
from benchmarks.measuring import ROOT, describe_machine
from benchmarks.time_to_accuracy import Plan, find_recipe, fit_apart
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import write_json, write_text
from facial_expression.core.params import CLOSED, load
from facial_expression.network.recipe import Recipe

FILE = ROOT / "benchmarks/ablations.yaml"


@dataclass(frozen=True, config=CLOSED)
class Ablations:
    """The section of a recipe in ablations.yaml."""

    ingredients: tuple[Ingredient, ...]


def chosen(
    ingredients: Sequence[Ingredient], only: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """The changes to fit, by name: some ingredients or all, behind the baseline without any.

    Raises:
        ParameterError: there is no ingredient of a name.
    """
    changes: dict[str, dict[str, Any]] = {BASELINE: {}}
    changes |= {one.name: one.change for one in ingredients}
    if unknown := sorted(set(only or ()) - set(changes)):
        known = ", ".join(f"'{name}'" for name in changes)
        raise ParameterError(f"--only: expected some of {known}, found '{unknown[0]}'")
    return {
        name: change
        for name, change in changes.items()
        if only is None or name in only or name == BASELINE
    }


def read_changes(texts: Iterable[str]) -> dict[str, Any]:
    """Dotted keys and their YAML values out of texts like `optimizer.name=sgd`.

    >>> read_changes(["optimizer.name=sgd", "epochs=6"])
    {'optimizer.name': 'sgd', 'epochs': 6}

    Raises:
        ParameterError: a text has no key or no value.
    """
    changes = {}
    for text in texts:
        key, _, value = text.partition("=")
        try:
            changes[key] = YAML(typ="safe").load(value)
        except YAMLError:
            value = ""
        if not key or not value:
            raise ParameterError(f"--set: expected KEY=VALUE, found '{text}'")
    return changes


def recipe_files(
    folder: Path, recipe: Values, changes: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Path], dict[str, Values]]:
    """Write each changed recipe as a parameter file; the files and their values, all checked.

    Raises:
        ParameterError: a change changes nothing, or is none that a recipe may have.
    """
    paths, values = {}, {}
    for number, (name, change) in enumerate(changes.items()):
        paths[name] = folder / f"{number}.yaml"
        write_text(paths[name], json.dumps({"train": varied(recipe, change)}))  # JSON is YAML
        try:
            values[name] = asdict(load(paths[name], "train", Recipe))
        except ParameterError as error:
            reason = str(error).removeprefix(f"{paths[name]}: ")
            raise ParameterError(f"'{name}': {reason}") from None
        if change and values[name] == recipe:
            raise ParameterError(
                f"'{name}': expected another recipe, found the same; turn the change round"
            )
    return paths, values


def measure(
    arrays: Path,
    recipe: Values,
    changes: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    out: Path,
) -> int:
    """Fit what `out` does not have yet.

    Args:
        arrays: folder of stage preprocess.
        recipe: the baseline's parameters.
        changes: of `chosen`.
        seeds: of the fits; all changes with the first, then all with the second, and so on.
        out: JSON file, written after each fit: machine, baseline's parameters, and runs, each a
            `timed_fit.Result` under the name of its ingredient.

    Returns:
        How many fits failed.

    Raises:
        ParameterError: see `recipe_files`; nothing was fitted then.
    """
    runs: list[Values] = read(out)["runs"] if out.exists() else []
    machine, failed = describe_machine(["keras", "numpy"]), 0
    with tempfile.TemporaryDirectory() as folder:
        paths, values = recipe_files(Path(folder), recipe, changes)
        plan = Plan(paths, {}, list(seeds), arrays, test=False)
        for seed, name in ((seed, name) for seed in seeds for name in changes):
            if all(one["recipe"] != values[name] | {"seed": seed} for one in runs):
                try:
                    fitted = fit_apart(plan, name, seed)
                except SystemExit as error:  # a rate too high, say; the others are worth fitting
                    print(f"{name}, seed {seed}: {error}", file=sys.stderr, flush=True)
                    failed += 1
                    continue
                runs.append({"ingredient": name} | fitted)
                accuracy = fitted["scores"]["val"]["accuracy"]
                print(f"{name}, seed {seed}: {fitted['cpu']:.0f} CPU s, {accuracy:.4f}", flush=True)
            write_json(out, {"machine": machine, "baseline": recipe, "runs": runs})
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


def main(argv: Sequence[str] | None = None) -> None:
    """Fit what is not measured yet and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arrays", type=Path, nargs="?", help="folder of stage preprocess")
    parser.add_argument("--recipe", default="fast", help="name; a section of ablations.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these, and the baseline")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="in every fit")
    parser.add_argument("--threads", type=int, default=1, help="instead of the recipe's")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--out", type=Path, default=ROOT / "results/ablations.json")
    parser.add_argument("--table", action="store_true", help="fit nothing: the table of --out")
    args = parser.parse_args(argv)
    ingredients = load(FILE, args.recipe, Ablations).ingredients
    failed = 0
    if not args.table:
        if args.arrays is None:
            parser.error("expected the folder of stage preprocess, or --table")
        common = {"threads": args.threads}
        common |= {} if args.epochs is None else {"epochs": args.epochs}
        recipe = asdict(load(find_recipe(args.recipe), "train", Recipe))
        recipe = varied(recipe, common | read_changes(args.set))
        changes = chosen(ingredients, args.only)
        failed = measure(args.arrays, recipe, changes, args.seeds, args.out)
    print("\n" + table(read(args.out), ingredients))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    run(main)
