"""The export stage: a folder with a network and its card that can be uploaded as it is."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.arrays import read_split
from facial_expression.core.errors import ModelError, damaged
from facial_expression.core.files import atomic, read_json, sha256_of, write_json, write_text
from facial_expression.core.params import CLOSED
from facial_expression.core.tables import read_table
from facial_expression.export.card import Facts, interval, render
from facial_expression.network.backend import configure
from facial_expression.network.recipe import Recipe

PER_CLASS = {"class": str, "precision": float, "recall": float, "f1": float, "support": int}
Text = Annotated[str, Field(min_length=1)]
SUBJECTS = {
    "terms": "",
    "labels": "Who labelled the pictures, and how far people agree with the labels: ",
    "people": "Who the people are, and how the network does for groups of them: ",
}
"""Texts that only the owner of the pictures can write -> what is said where one is missing."""


@dataclass(frozen=True, config=CLOSED)
class CropParameters:
    """How the training pictures are framed, so that faces in photographs are cropped alike.

    See `inference.boxes.CropRule`.
    """

    scale: Annotated[float, Field(gt=0, le=10)]
    drop: Annotated[float, Field(ge=-1, le=1)]


@dataclass(frozen=True, config=CLOSED)
class ExportParameters:
    """Section `export` of conf/data/*.yaml: what only people know of a data set.

    What is None is not stated, and the card says so.
    """

    dataset: Text  # its name
    licence: Text  # of the weights; an identifier of huggingface.co/docs/hub/repositories-licenses
    terms: Text | None  # who may use the weights, and for what
    labels: Text | None  # where the labels come from, and how far people agree with them
    people: Text | None  # what is known of the people in the pictures
    crop: CropParameters

    def texts(self, file: str) -> dict[str, str]:
        """All but the crop; what is None is said to be missing from `file`."""
        return {
            key: text or f"{SUBJECTS[key]}not stated (fill in export.{key} of {file})"
            for key, text in vars(self).items()
            if key != "crop"
        }


def export(
    params: ExportParameters,
    file: str,
    recipe: Recipe,
    name: str,
    source: Path,
    audit: Path,
    arrays: Path,
    model: Path,
    evaluation: Path,
    out: Path,
) -> None:
    """Write every file of the stage into `out`.

    `params` stand in `file`, and `name` is that of the recipe.  `source` is source.json, `audit` is
    audit.json and `model` is model.keras; `arrays` and `evaluation` are folders of stages.  A
    DatasetError if a file of an earlier stage is missing or damaged, a ModelError if the network
    cannot be read, or model.onnx predicts something else.
    """
    configure("tensorflow", recipe.threads)
    from facial_expression.network import keras_file

    with tempfile.TemporaryDirectory() as folder:
        portable = Path(folder) / "model.keras"
        keras_file.save_portable(model, portable)
        facts = Facts(
            texts=params.texts(file),
            source=read_json(source, "the fetch stage"),
            audit=read_json(audit, "the index stage"),
            metrics=read_json(evaluation / "scores.json", "the evaluate stage"),
            per_class=read_table(evaluation / "per_class.csv", PER_CLASS, "the evaluate stage"),
            recipe=name,
            parameters=asdict(recipe),
            model=sha256_of(portable),
            size=portable.stat().st_size,
        )
        card, metadata, fitted, split = described(facts, params.crop)
        rest = fitted["temperature"], metadata, recipe.threads, out / "model.onnx"
        parity = convert(model, arrays, split, *rest)
        with atomic(out / "model.keras") as temporary:
            shutil.copyfile(portable, temporary)
    write_json(out / "parity.json", parity)
    write_json(out / "classes.json", json.loads(metadata["classes"]))
    write_json(out / "calibration.json", fitted)
    write_text(out / "model_card.md", card)


@damaged("source.json, audit.json, scores.json or per_class.csv", "dvc repro -f")
def described(
    facts: Facts, crop: CropParameters
) -> tuple[str, dict[str, str], dict[str, Any], str]:
    """The card, the metadata of model.onnx, calibration.json, and the reported split."""
    split, classes = facts.metrics["reported_split"], facts.per_class["class"].tolist()
    scores, temperature = facts.metrics[split], facts.metrics["calibration"]["temperature"]
    metadata = {  # what a user of model.onnx alone has to know
        "classes": json.dumps(classes, ensure_ascii=False),
        "crop": json.dumps(asdict(crop)),
        "temperature": f"{temperature:.6f}",
        **{key: facts.texts[key] for key in ("dataset", "licence", "terms")},
        "recipe": facts.recipe,
        "protocol": facts.metrics["protocol"],
        "accuracy": f"{interval(scores)} on {split}, n = {scores['n']:,}",
        "model_sha256": facts.model,
    }
    fitted = {key: facts.metrics["calibration"][key] for key in ("temperature", "fitted_on")}
    return render(facts), metadata, fitted, split


def convert(
    model: Path,
    arrays: Path,
    split: str,
    temperature: float,
    metadata: Mapping[str, str],
    threads: int,
    out: Path,
) -> dict[str, Any]:
    """Write model.onnx at `out` if it predicts what `model` does; the content of parity.json.

    A ModelError if it predicts something else on `split`, or `model` cannot be read.
    """
    from facial_expression.export import onnx_file
    from facial_expression.export.parity import LIMIT, parity
    from facial_expression.metrics.calibration import with_temperature
    from facial_expression.network import keras_file
    from facial_expression.network.predict import predicted_logits

    keras_model, images = keras_file.load(model), np.asarray(read_split(arrays, split).images)
    expected = with_temperature(predicted_logits(keras_model, images), temperature)
    with atomic(out) as temporary:
        network = onnx_file.serving_network(keras_model, temperature)
        onnx_file.write_onnx(network, temporary, metadata)
        output = onnx_file.run_onnx(temporary, images, threads)
        found = parity(expected, output.astype(np.float64))
        if not found.holds:
            raise ModelError(
                f"{model}: expected model.onnx to predict the same for {split}, found another "
                f"class for {found.other_class} of {found.decisive} pictures and probabilities "
                f"that differ by up to {found.largest_difference:.2g} (limit {LIMIT:.0e}); "
                "nothing was written; please report it"
            )
    return {"split": split, **found._asdict()}
