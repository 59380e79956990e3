"""The evaluate stage: score a network on some splits, write scores, tables and saliency maps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from facial_expression.core.arrays import SPLITS, Saliency, read_split, write_saliency
from facial_expression.core.errors import damaged
from facial_expression.core.files import atomic, read_json, write_json
from facial_expression.core.labels import read_classes
from facial_expression.core.params import CLOSED, Seed
from facial_expression.core.tables import read_people, write_table
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe


@dataclass(frozen=True, config=CLOSED)
class SaliencyParameters:
    """Which predictions get a saliency map."""

    per_class: Annotated[int, Field(ge=1, le=8)]  # right predictions, and as many wrong ones
    seed: Seed  # of the choice


def _in_order(splits: tuple[str, ...]) -> tuple[str, ...]:
    if "val" not in splits or splits != tuple(name for name in SPLITS if name in splits):
        raise ValueError("expected val, optionally with train before it and test after it")
    return splits


@dataclass(frozen=True, config=CLOSED)
class EvaluateParameters:
    """Section `evaluate` of conf/data/*.yaml.

    `splits` are scored in the order train, val, test, and the last one is reported.  val is always
    among them, because the temperature is fitted on it.  FER2013's test (PrivateTest) is scored
    only when a recipe is frozen.
    """

    splits: Annotated[tuple[Literal["train", "val", "test"], ...], AfterValidator(_in_order)]
    batch_size: Annotated[int, Field(ge=1)]  # pictures a forward pass
    saliency: SaliencyParameters


def evaluate(
    params: EvaluateParameters,
    recipe: Recipe,
    arrays: Path,
    path: Path,
    index: Path,
    people: Path,
    out: Path,
) -> dict[str, Any]:
    """Score the model.keras at `path`, write every file of the stage to the folder `out`.

    `arrays` and `index` are the folders of those stages; audit.json names protocol and labels, and
    `people` is people.csv.  Of the recipe, backend and threads are used.  Gives the content of
    scores.json.  A DatasetError if audit.json, people.csv or the arrays cannot be read, a
    ModelError if the network cannot, or does not fit the arrays.
    """
    audit = index / "audit.json"
    with damaged(audit, "the index stage"):
        found = read_json(audit, "the index stage")
        origin = {"protocol": found["protocol"], "labels": found["labels"]}
        origin |= {"ferplus": found["ferplus"]} if "ferplus" in found else {}
    about = read_people(people)
    classes = read_classes(arrays / "classes.json")
    splits = {name: read_split(arrays, name, classes) for name in params.splits}
    configure(recipe.backend, recipe.threads)
    from facial_expression.evaluate import tables
    from facial_expression.evaluate.attributes import by_attribute
    from facial_expression.evaluate.saliency import choose_predictions, grad_cam
    from facial_expression.metrics.calibration import fit_temperature, with_temperature
    from facial_expression.network import predict
    from facial_expression.network.keras_file import check_probabilities, load_classifier
    from facial_expression.network.macs import macs

    reported, size = params.splits[-1], params.batch_size
    model, side = load_classifier(path, len(classes), splits[reported].images.shape[1])
    scores: dict[str, Any] = {**origin, "reported_split": reported, "classes_absent": {}}
    plain: dict[str, NDArray[np.float64]] = {}
    with atomic(out / "predictions") as folder:
        folder.mkdir()
        for name, split in splits.items():
            if name == "train":  # it is large, and there only to be compared
                means = {"plain": predict.predicted(model, split.images, size).astype(np.float64)}
            else:
                means = predict.averaged_predictions(model, split.images, size)
            plain[name] = means["plain"]
            check_probabilities(path, plain[name])
            scores |= tables.split_scores(name, split.labels, means, split.leak_free)
            absent = np.setdiff1d(np.arange(len(classes)), split.labels)
            scores["classes_absent"][name] = [classes[label] for label in absent]
            table = tables.predictions(split.paths, split.labels, plain[name], classes)
            write_table(folder / f"{name}.csv", table)

    # the temperature is fitted on val and measured on the reported split
    needed = {name: splits[name].images for name in ("val", reported)}
    logits = {name: predict.predicted_logits(model, each, size) for name, each in needed.items()}
    temperature = fit_temperature(splits["val"].labels, logits["val"])
    calibrated = with_temperature(logits[reported], temperature)
    scored = splits[reported].labels, plain[reported], calibrated, temperature
    for file, table in tables.tables(*scored, classes).items():
        write_table(out / f"{file}.csv", table)
    told = splits[reported].paths, splits[reported].labels, plain[reported], calibrated
    if attributes := by_attribute(about, *told):
        scores["attributes"] = attributes
    guesses, chosen, split = plain[reported].argmax(axis=1), params.saliency, splits[reported]
    rows = choose_predictions(split.labels, guesses, len(classes), chosen.per_class, chosen.seed)
    maps = np.rint(255 * grad_cam(model, split.images[rows], guesses[rows]))
    write_saliency(out / "saliency.npz", Saliency(rows, maps.astype(np.uint8)))
    scores |= {
        **tables.trust(*scored),
        "model": {"side": side, "parameters": model.count_params(), "macs": macs(model)},
        "versions": versions(recipe.backend),
    }
    write_json(out / "scores.json", scores)
    write_json(out / "metrics.json", _headline(scores))
    return scores


def _headline(scores: Mapping[str, Any]) -> dict[str, float]:
    """What `dvc exp show` compares: accuracy, macro F1; calibration error after the temperature."""
    found = {
        f"{split}_{name}": scores[split][score]
        for split in ("val", "test")
        if split in scores
        for name, score in (("acc", "accuracy"), ("f1", "macro_f1"))  # columns of 120 characters
    }
    error = scores["calibration"]["after"]["ece_equal_mass"]
    return found | {f"{scores['reported_split']}_ece": error}
