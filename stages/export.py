"""Stage `export`: what goes out of the house with a model.  -> OUT  (params: export).

Reads   MODEL, what evaluate, index and fetch wrote about it, one split of ARRAYS, and the recipe.
Writes  OUT/model.onnx        the network with calibrated probabilities and, where it pools its last
                              feature map, class activation maps; needs no TensorFlow
        OUT/parity.json       how far model.onnx is from MODEL on the reported split
        OUT/model.keras       the network, the same bytes
        OUT/classes.json      its classes in the order of its outputs
        OUT/calibration.json  the temperature that its probabilities want
        OUT/model_card.md     the run's own facts in the Hugging Face model-card format
The folder can be uploaded as it is.  Where model.onnx and MODEL differ, nothing is written.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML

from facial_expression.core.arrays import read_split
from facial_expression.core.errors import DatasetError, ModelError, ParameterError, run
from facial_expression.core.files import atomic, read_csv, sha256_of, write_json, write_text
from facial_expression.core.params import CLOSED, load
from facial_expression.export.card import Facts, interval, render
from facial_expression.inference.network import Network
from facial_expression.network.backend import configure
from facial_expression.network.recipe import Recipe

TRAVELS = ("temperature", "fitted_on")  # what calibration.json takes from scores.json
BLANK = "Say here"  # how a text begins that only the owner of the pictures can write
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=CLOSED)
class CropParameters:
    """How the training pictures are framed, so that faces are cut out alike.

    Attributes:
        scale: side of the square over the square root of the area of the detector's box.
        drop: how far the square's centre lies below the box's, in sides of the square.
    """

    scale: Annotated[float, Field(gt=0, le=10)]
    drop: Annotated[float, Field(ge=-1, le=1)]


@dataclass(frozen=True, config=CLOSED)
class ExportParameters:
    """Section `export` of conf/data/*.yaml: what only people know of a data set.

    Attributes:
        dataset: its name.
        licence: of the weights, an identifier of huggingface.co/docs/hub/repositories-licenses.
        terms: who may use the weights, and for what.
        labels: where the labels come from, and how far people agree with them.
        people: what is known of the people in the pictures.
        crop: see there.
    """

    dataset: Text
    licence: Text
    terms: Text
    labels: Text
    people: Text
    crop: CropParameters


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
        texts={key: text for key, text in asdict(params).items() if key != "crop"},
        source=read_json(args.source),
        audit=read_json(args.audit),
        metrics=read_json(args.evaluation / "scores.json"),
        per_class=read_table(args.evaluation / "per_class.csv"),
        recipe=args.recipe.stem,
        parameters=recipe,
        model=model,
        size=size,
    )


def describe(facts: Facts, crop: CropParameters) -> dict[str, str]:
    """The metadata of model.onnx: what a user of that file alone has to know."""
    split = facts.metrics["reported_split"]
    scores = facts.metrics[split]
    return {
        "classes": json.dumps([row["class"] for row in facts.per_class], ensure_ascii=False),
        "crop": json.dumps(asdict(crop)),
        "temperature": f"{facts.metrics['calibration']['temperature']:.6f}",
        "dataset": facts.texts["dataset"],
        "licence": facts.texts["licence"],
        "terms": facts.texts["terms"],
        "recipe": facts.recipe,
        "protocol": facts.metrics["protocol"],
        "accuracy": f"{interval(scores)} on {split}, n = {scores['n']:,}",
        "model_sha256": facts.model,
    }


def convert(
    model: Path, arrays: Path, facts: Facts, metadata: Mapping[str, str], threads: int, out: Path
) -> dict[str, Any]:
    """Write model.onnx at `out`, unless it says other things than `model`; what parity.json says.

    Raises:
        ModelError: it does, on the reported split; or the model cannot be read.
    """
    configure("tensorflow", threads)
    from facial_expression.export import onnx_file
    from facial_expression.export.parity import LIMIT, parity
    from facial_expression.metrics.calibration import with_temperature
    from facial_expression.network import keras_file
    from facial_expression.network.predict import predicted

    keras_model = keras_file.load(model)
    name, temperature = facts.metrics["reported_split"], facts.metrics["calibration"]["temperature"]
    images = read_split(arrays, name).images
    expected = with_temperature(predicted(keras_model, images).astype(np.float64), temperature)
    with atomic(out) as temporary:
        network = onnx_file.serving_network(keras_model, temperature)
        onnx_file.write_onnx(network, temporary, metadata)
        output = Network(temporary, threads).predict(images)
        found = parity(expected, output.probabilities.astype(np.float64))
        if not found.holds:
            raise ModelError(
                f"{model}: expected model.onnx to say the same of {name}, found another class for "
                f"{found.other_class} of {found.decisive} pictures and probabilities that differ "
                f"by up to {found.largest_difference:.2g} (limit {LIMIT:.0e}); nothing was written"
            )
    return {"split": name, **found._asdict()}


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
    parser.add_argument("--arrays", type=Path, required=True, help="folder of stage preprocess")
    parser.add_argument("--model", type=Path, required=True, help="model.keras")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder of stage evaluate")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    args = parser.parse_args(argv)
    params = load(args.params, "export", ExportParameters)
    facts = gather(params, args)
    calibration = facts.metrics["calibration"]
    metadata = describe(facts, params.crop)
    threads = load(args.recipe, "train", Recipe).threads
    found = convert(args.model, args.arrays, facts, metadata, threads, args.out / "model.onnx")
    write_json(args.out / "parity.json", found)
    with atomic(args.out / "model.keras") as temporary:
        shutil.copyfile(args.model, temporary)
    write_json(args.out / "classes.json", [row["class"] for row in facts.per_class])
    write_json(args.out / "calibration.json", {k: calibration[k] for k in TRAVELS})
    write_text(args.out / "model_card.md", render(facts))
    print(f"wrote the network and its card to {args.out}")
    if blanks := [name for name, text in facts.texts.items() if text.startswith(BLANK)]:
        print(
            f"note: before you publish the card, write export.{', export.'.join(blanks)} "
            f"in {args.params}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    run(main)
