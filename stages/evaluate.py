"""Stage `evaluate`: score the network.  INDEX, ARRAYS, MODEL -> OUT  (params: evaluate).

Reads   ARRAYS/<split> of the splits to score, MODEL, protocol and labels from INDEX/audit.json,
        and backend and threads from the recipe.
Writes  OUT/metrics.json             scores by split, plain, averaged over both mirror images
                                     (_flip), over 18 moved views (_views), and plain on the part
                                     without a leak (_leak_free); calibration, selective
                                     prediction, protocol, labels, model size, versions
        OUT/predictions/<split>.csv  path, actual, predicted, one probability a class
        OUT/confusion.csv            actual and predicted class
        OUT/confused_pairs.csv       each kind of mistake: how many, share of the actual class
        OUT/per_class.csv            precision, recall, F1, support
        OUT/reliability.csv          confidence and accuracy by bin, before and after temperature
        OUT/risk_coverage.csv        error rate among the surest answers
        OUT/saliency.npz             Grad-CAM of some right and wrong predictions
The tables are of the reported split, the last one scored.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core import saliency_file
from facial_expression.core.arrays import Split, read_split
from facial_expression.core.errors import DatasetError, ModelError, ParameterError, run
from facial_expression.core.files import atomic_folder, write_csv, write_json
from facial_expression.core.labels import read_classes
from facial_expression.core.params import CLOSED, load
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Recipe

if TYPE_CHECKING:
    import keras

ORDER = ("train", "val", "test")


@dataclass(frozen=True, config=CLOSED)
class SaliencyParameters:
    """Which predictions get a saliency map.

    Attributes:
        per_class: right ones of each class, and as many wrong ones.
        seed: of the choice.
    """

    per_class: Annotated[int, Field(ge=1, le=8)]
    seed: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=CLOSED)
class EvaluateParameters:
    """Section `evaluate` of conf/data/*.yaml.

    Attributes:
        splits: what to score, in the order train, val, test, val always among them (the
            temperature is fitted on it); the last one is reported.  FER2013's test (PrivateTest)
            is scored only when a recipe is frozen.
        batch_size: pictures a forward pass.
        saliency: see there.
    """

    splits: Annotated[tuple[Literal["train", "val", "test"], ...], Field(min_length=1)]
    batch_size: Annotated[int, Field(ge=1)]
    saliency: SaliencyParameters


def check_fit(model: keras.Model, split: Split, classes: Sequence[str], where: Path) -> None:
    """Raise ModelError if the model takes other pictures or gives other classes than the arrays."""
    side = split.images.shape[1]
    expected = (None, side, side, 1), (None, len(classes))
    found = model.input_shape, model.output_shape
    if expected != found:
        raise ModelError(
            f"{where}: expected a model for {side}x{side} pictures and {len(classes)} classes, "
            f"found one that turns {found[0]} into {found[1]}; run the train stage again"
        )


def check_splits(splits: Sequence[str]) -> None:
    """Raise ParameterError unless the splits are distinct, in order, and val is one of them."""
    if "val" not in splits or list(splits) != sorted(set(splits), key=ORDER.index):
        raise ParameterError(
            "evaluate.splits: expected distinct splits in the order train, val, test, with val "
            f"(the temperature is fitted on it), found {', '.join(splits)}"
        )


def predictions(
    model: keras.Model, name: str, split: Split, batch_size: int
) -> dict[str, NDArray[np.float64]]:
    """Probabilities (N, classes), plain and by each kind of test-time averaging.

    The training split is predicted plain only: it is there to be compared, and it is large.
    """
    from facial_expression.network.predict import averaged_predictions, predicted

    if name == "train":
        means = {"plain": predicted(model, split.images, batch_size).astype(np.float64)}
    else:
        means = averaged_predictions(model, split.images, batch_size)
    if not np.isfinite(means["plain"]).all():
        raise ModelError("the model predicts values that are not finite; train it again")
    return means


def explain(
    model: keras.Model, split: Split, predicted: NDArray[np.int64], params: SaliencyParameters
) -> saliency_file.Saliency:
    """Grad-CAM of a seeded choice of predictions, for the class that was predicted."""
    from facial_expression.evaluate.saliency import grad_cam

    classes = int(model.output_shape[-1])
    rows, kinds = saliency_file.choose(
        split.labels, predicted, classes, params.per_class, params.seed
    )
    maps = grad_cam(model, split.images[rows], predicted[rows])
    return saliency_file.Saliency(rows, kinds, np.rint(255 * maps).astype(np.uint8))


def evaluate(
    params: EvaluateParameters, recipe: Recipe, arrays: Path, path: Path, index: Path, out: Path
) -> dict[str, Any]:
    """Score the model at `path`, write every file of the stage, return what metrics.json says."""
    check_splits(params.splits)
    reported = params.splits[-1]
    metrics: dict[str, Any] = {**read_origin(index / "audit.json"), "reported_split": reported}
    splits = {name: read_split(arrays, name) for name in params.splits}
    configure(recipe.backend, recipe.threads)
    from facial_expression.evaluate import tables
    from facial_expression.metrics.calibration import fit_temperature
    from facial_expression.network import keras_file
    from facial_expression.network.macs import macs

    model = keras_file.load(path)
    classes = read_classes(arrays / "classes.json")
    plain = {}
    with atomic_folder(out / "predictions") as folder:
        for name, split in splits.items():
            check_fit(model, split, classes, path)
            means = predictions(model, name, split, params.batch_size)
            plain[name] = means["plain"]
            metrics |= tables.split_scores(name, split.labels, means, split.leak_free)
            header, rows = tables.predictions(split.paths, split.labels, plain[name], classes)
            write_csv(folder / f"{name}.csv", header, rows)
    temperature = fit_temperature(splits["val"].labels, plain["val"])
    last = splits[reported].labels, plain[reported], temperature
    for table, (header, rows) in tables.tables(*last, classes).items():
        write_csv(out / f"{table}.csv", header, rows)
    explained = explain(model, splits[reported], plain[reported].argmax(axis=1), params.saliency)
    saliency_file.write(out / "saliency.npz", explained)
    metrics |= {
        **tables.trust(*last),
        "model": {
            "side": model.input_shape[1],
            "parameters": model.count_params(),
            "macs": macs(model),
        },
        "versions": versions(recipe.backend),
    }
    write_json(out / "metrics.json", metrics)
    return metrics


def read_origin(audit: Path) -> dict[str, Any]:
    """Protocol and labels (with FER+ their rules, too) that index followed, from audit.json."""
    try:
        found = json.loads(audit.read_text(encoding="utf-8"))
        facts = {"protocol": str(found["protocol"]), "labels": found.get("labels", "folders")}
        return facts | ({"ferplus": found["ferplus"]} if "ferplus" in found else {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{audit}: expected the audit that the index stage writes: {error!r}; run that stage"
        ) from None


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, evaluate, print the headline scores."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    paths = {
        "--params": "YAML with section evaluate:",
        "--recipe": "YAML with section train:",
        "--index": "folder of stage index; reads audit.json",
        "--arrays": "folder of stage preprocess",
        "--model": "model.keras",
        "--out": "folder to write to",
    }
    for name, text in paths.items():
        parser.add_argument(name, type=Path, required=True, help=text)
    args = parser.parse_args(argv)
    params = load(args.params, "evaluate", EvaluateParameters)
    recipe = load(args.recipe, "train", Recipe)
    metrics = evaluate(params, recipe, args.arrays, args.model, args.index, args.out)
    for name in params.splits:
        s = metrics[name]
        print(
            f"{name}: accuracy {s['accuracy']:.4f} (95 % interval {s['accuracy_low']:.4f} to "
            f"{s['accuracy_high']:.4f}), macro F1 {s['macro_f1']:.4f}, n = {s['n']}"
        )


if __name__ == "__main__":
    run(main)
