"""Stage `export`: what goes out of the house with a model.  -> OUT  (params: export).

Reads   MODEL, what evaluate, index and fetch wrote about it, and the recipe.
Writes  OUT/model.keras       the network, the same bytes
        OUT/classes.json      its classes in the order of its outputs
        OUT/calibration.json  the temperature that its probabilities want
        OUT/model_card.md     the run's own facts in the Hugging Face model-card format
The folder can be uploaded as it is.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML

from facial_expression.errors import DatasetError, ModelError, ParameterError, run
from facial_expression.files import atomic, read_csv, sha256_of, write_json, write_text
from facial_expression.model_card import Facts, render
from facial_expression.parameters import CLOSED, load

TRAVELS = ("temperature", "fitted_on")  # what calibration.json takes from metrics.json
BLANK = "Say here"  # how a text begins that only the owner of the pictures can write
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=CLOSED)
class ExportParameters:
    """Section `export` of conf/data/*.yaml: what only people know of a data set.

    Attributes:
        dataset: its name.
        licence: of the weights, an identifier of huggingface.co/docs/hub/repositories-licenses.
        terms: who may use the weights, and for what.
        labels: where the labels come from, and how far people agree with them.
        people: what is known of the people in the pictures.
    """

    dataset: Text
    licence: Text
    terms: Text
    labels: Text
    people: Text


def gather(params: ExportParameters, args: argparse.Namespace) -> Facts:
    """What the card is written from.

    Raises:
        DatasetError: a stage's file is missing, or is none.
        ModelError: there is no model.
        ParameterError: the recipe cannot be read.
    """
    try:
        model, size = sha256_of(args.model), args.model.stat().st_size
    except OSError as error:
        raise ModelError(f"{args.model}: {error.strerror}; run the train stage") from None
    try:
        recipe = YAML(typ="safe").load(args.recipe)["train"]
    except (OSError, KeyError, TypeError) as error:
        raise ParameterError(f"{args.recipe}: expected a section train: {error!r}") from None
    return Facts(
        texts=asdict(params),
        source=read_json(args.source),
        audit=read_json(args.audit),
        metrics=read_json(args.evaluation / "metrics.json"),
        per_class=read_table(args.evaluation / "per_class.csv"),
        recipe=args.recipe.stem,
        parameters=recipe,
        model=model,
        size=size,
    )


def read_json(path: Path) -> Any:
    """What a stage wrote."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: expected what a stage wrote: {error!r}; run dvc repro"
        ) from None


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table that a stage wrote."""
    try:
        return list(read_csv(path))
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}; run dvc repro") from None


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and write the network and its card."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", type=Path, required=True, help="YAML with a section export:")
    parser.add_argument("--recipe", type=Path, required=True, help="YAML with a section train:")
    parser.add_argument("--source", type=Path, required=True, help="source.json of stage fetch")
    parser.add_argument("--audit", type=Path, required=True, help="audit.json of stage index")
    parser.add_argument("--model", type=Path, required=True, help="model.keras")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder of stage evaluate")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    args = parser.parse_args(argv)
    params = load(args.params, "export", ExportParameters)
    facts = gather(params, args)
    with atomic(args.out / "model.keras") as temporary:
        shutil.copyfile(args.model, temporary)
    write_json(args.out / "classes.json", [row["class"] for row in facts.per_class])
    calibration = facts.metrics["calibration"]
    write_json(args.out / "calibration.json", {k: calibration[k] for k in TRAVELS})
    write_text(args.out / "model_card.md", render(facts))
    print(f"wrote the network and its card to {args.out}")
    if blanks := [name for name, text in asdict(params).items() if text.startswith(BLANK)]:
        print(
            f"note: before you publish the card, write export.{', export.'.join(blanks)} "
            f"in {args.params}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    run(main)
