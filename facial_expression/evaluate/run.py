"""The evaluate stage: score a network on some splits, write scores, tables and saliency maps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.arrays import Saliency, read_split, write_saliency
from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.files import atomic, write_json
from facial_expression.core.labels import read_classes
from facial_expression.core.params import CLOSED
from facial_expression.core.tables import write_table
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe

ORDER = ("train", "val", "test")


@dataclass(frozen=True, config=CLOSED)
class SaliencyParameters:
    """Which predictions get a saliency map.

    Attributes:
        per_class: right predictions of each class, and as many wrong ones.
        seed: of the choice.
    """

    per_class: Annotated[int, Field(ge=1, le=8)]
    seed: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=CLOSED)
class EvaluateParameters:
    """Section `evaluate` of conf/data/*.yaml.

    Attributes:
        splits: what to score, in the order train, val, test.  val is always among them, because
            the temperature is fitted on it.  The last one is reported.  FER2013's test
            (PrivateTest) is scored only when a recipe is frozen.
        batch_size: pictures a forward pass.
        saliency: which predictions get a saliency map.
    """

    splits: Annotated[tuple[Literal["train", "val", "test"], ...], Field(min_length=1)]
    batch_size: Annotated[int, Field(ge=1)]
    saliency: SaliencyParameters


def evaluate(
    params: EvaluateParameters, recipe: Recipe, arrays: Path, path: Path, index: Path, out: Path
) -> dict[str, Any]:
    """Score a network and write every file of the stage.

    Args:
        params: see there.
        recipe: its backend and threads are used.
        arrays: folder of the preprocess stage.
        path: model.keras.
        index: folder of the index stage; its audit.json names protocol and labels.
        out: folder to write to.

    Returns:
        The content of scores.json.

    Raises:
        ParameterError: the splits are out of order, or val is missing.
        DatasetError: audit.json or the arrays cannot be read.
        ModelError: the network cannot be read, or does not fit the arrays.
    """
    if "val" not in params.splits or params.splits != tuple(
        name for name in ORDER if name in params.splits
    ):
        raise ParameterError(
            "evaluate.splits: expected distinct splits in the order train, val, test, with val "
            f"(the temperature is fitted on it), found {', '.join(params.splits)}"
        )
    reported = params.splits[-1]
    scores: dict[str, Any] = {**read_origin(index / "audit.json"), "reported_split": reported}
    splits = {name: read_split(arrays, name) for name in params.splits}
    classes = read_classes(arrays / "classes.json")
    configure(recipe.backend, recipe.threads)
    from facial_expression.evaluate import tables
    from facial_expression.evaluate.saliency import choose_predictions, grad_cam
    from facial_expression.metrics.calibration import fit_temperature
    from facial_expression.network.keras_file import check_probabilities, load_classifier
    from facial_expression.network.macs import macs
    from facial_expression.network.predict import averaged_predictions, predicted

    model, side = load_classifier(path, len(classes), splits[reported].images.shape[1])
    plain: dict[str, NDArray[np.float64]] = {}
    with atomic(out / "predictions") as folder:
        folder.mkdir()
        for name, split in splits.items():
            if name == "train":  # plain only: it is large, and there only to be compared
                rows = predicted(model, split.images, params.batch_size)
                means = {"plain": rows.astype(np.float64)}
            else:
                means = averaged_predictions(model, split.images, params.batch_size)
            plain[name] = means["plain"]
            check_probabilities(path, plain[name])
            scores |= tables.split_scores(name, split.labels, means, split.leak_free)
            table = tables.predictions(split.paths, split.labels, plain[name], classes)
            write_table(folder / f"{name}.csv", table)
    temperature = fit_temperature(splits["val"].labels, plain["val"])
    scored = splits[reported].labels, plain[reported], temperature
    for file, table in tables.tables(*scored, classes).items():
        write_table(out / f"{file}.csv", table)
    guesses = plain[reported].argmax(axis=1)
    split, chosen = splits[reported], params.saliency
    each = chosen.per_class, chosen.seed
    shown, kinds = choose_predictions(split.labels, guesses, len(classes), *each)
    maps = np.rint(255 * grad_cam(model, split.images[shown], guesses[shown])).astype(np.uint8)
    write_saliency(out / "saliency.npz", Saliency(shown, kinds, maps))
    scores |= {
        **tables.trust(*scored),
        "model": {"side": side, "parameters": model.count_params(), "macs": macs(model)},
        "versions": versions(recipe.backend),
    }
    write_json(out / "scores.json", scores)
    write_json(out / "metrics.json", headline(scores))
    return scores


def headline(scores: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of scores.json that `dvc exp show` and `dvc metrics diff` compare.

    Accuracy and macro F1 of val and test, where they were scored, and the expected calibration
    error of the reported split (bins of equal mass, after the temperature).
    """
    found = {
        f"{split}_{name}": scores[split][score]
        for split in ("val", "test")
        if split in scores
        for name, score in (("acc", "accuracy"), ("f1", "macro_f1"))  # columns of 120 characters
    }
    error = scores["calibration"]["after"]["ece_equal_mass"]
    return found | {f"{scores['reported_split']}_ece": error}


def read_origin(audit: Path) -> dict[str, Any]:
    """Protocol and labels (with FER+ also its rules) of the index stage, from audit.json."""
    try:
        found = json.loads(audit.read_text(encoding="utf-8"))
        facts = {"protocol": str(found["protocol"]), "labels": found.get("labels", "folders")}
        return facts | ({"ferplus": found["ferplus"]} if "ferplus" in found else {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{audit}: expected the audit that the index stage writes: {error!r}; run that stage"
        ) from None
