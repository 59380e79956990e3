"""Stage `evaluate`: score the network.  ARRAYS, MODEL, AUDIT -> OUT  (params: evaluate).

Reads   ARRAYS/<split> of the splits to score, MODEL, the audit's protocol, and backend and threads
        from the recipe.
Writes  OUT/metrics.json             scores by split, plain, averaged over both mirror images
                                     (_flip) and over 18 moved views (_views); protocol, model
                                     size and multiply-accumulates, versions
        OUT/predictions/<split>.csv  path, actual, predicted, one probability a class
        OUT/confusion.csv            actual and predicted class on the reported split
        OUT/per_class.csv            precision, recall, F1, support on the reported split
        OUT/saliency.npz             Grad-CAM of some of its right and wrong predictions
The reported split is the last one scored.
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

from facial_expression.dataset import saliency
from facial_expression.dataset.arrays import Split, read_split
from facial_expression.errors import DatasetError, ModelError, ParameterError, run
from facial_expression.files import atomic_folder, write_csv, write_json
from facial_expression.labels import read_classes
from facial_expression.parameters import CLOSED, load
from facial_expression.training.backend import configure, versions
from facial_expression.training.recipe import Recipe

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
        splits: what to score, in the order train, val, test; the last one is reported.  FER2013's
            test (PrivateTest) is scored only when a recipe is frozen.
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


def score_split(
    model: keras.Model, split: Split, params: EvaluateParameters, name: str
) -> tuple[dict[str, dict[str, float]], NDArray[np.float64]]:
    """Scores of one split (plain and with test-time averaging), and plain probabilities.

    The training split is scored plain only: it is there to be compared, and it is large.
    """
    from facial_expression.metrics.scores import headline
    from facial_expression.training.prediction import averaged_predictions, predicted

    if name == "train":
        means = {"plain": predicted(model, split.images, params.batch_size).astype(np.float64)}
    else:
        means = averaged_predictions(model, split.images, params.batch_size)
    if not np.isfinite(means["plain"]).all():
        raise ModelError("the model predicts values that are not finite; train it again")
    scores = {
        name if kind == "plain" else f"{name}_{kind}": headline(split.labels, mean)
        for kind, mean in means.items()
    }
    return scores, means["plain"]


def write_split(
    folder: Path, name: str, split: Split, probabilities: NDArray[np.float64], classes: list[str]
) -> None:
    """Write predictions/<split>.csv."""
    predicted = probabilities.argmax(axis=1)
    write_csv(
        folder / f"{name}.csv",
        ("path", "actual", "predicted", *classes),
        (
            (path, classes[actual], classes[guess], *row)
            for path, actual, guess, row in zip(
                split.paths, split.labels, predicted, probabilities.tolist(), strict=True
            )
        ),
    )


def explain(
    model: keras.Model, split: Split, predicted: NDArray[np.int64], params: SaliencyParameters
) -> saliency.Saliency:
    """Grad-CAM of a seeded choice of predictions, for the class that was predicted."""
    from facial_expression.training.saliency import grad_cam

    classes = int(model.output_shape[-1])
    rows, kinds = saliency.choose(split.labels, predicted, classes, params.per_class, params.seed)
    maps = grad_cam(model, split.images[rows], predicted[rows])
    return saliency.Saliency(rows, kinds, np.rint(255 * maps).astype(np.uint8))


def evaluate(
    params: EvaluateParameters, recipe: Recipe, arrays: Path, path: Path, audit: Path, out: Path
) -> dict[str, Any]:
    """Score the model at `path`, write every file of the stage, return what metrics.json says."""
    if params.splits == ("train",):
        raise ParameterError("evaluate.splits: expected val or test among them, found train alone")
    if list(params.splits) != sorted(set(params.splits), key=ORDER.index):
        raise ParameterError(
            "evaluate.splits: expected distinct splits in the order train, val, test, "
            f"found {', '.join(params.splits)}"
        )
    protocol = read_protocol(audit)
    splits = {name: read_split(arrays, name) for name in params.splits}
    configure(recipe.backend, recipe.threads)
    from facial_expression.metrics.scores import per_class
    from facial_expression.training import exporting
    from facial_expression.training.macs import macs

    model = exporting.load(path)
    classes = read_classes(arrays / "classes.json")
    metrics: dict[str, Any] = {"protocol": protocol, "reported_split": params.splits[-1]}
    with atomic_folder(out / "predictions") as folder:
        for name, split in splits.items():
            check_fit(model, split, classes, path)
            scores, probabilities = score_split(model, split, params, name)
            metrics |= scores
            write_split(folder, name, split, probabilities, classes)
    predicted = probabilities.argmax(axis=1)
    pairs = [(classes[a], classes[p]) for a, p in zip(split.labels, predicted, strict=True)]
    write_csv(out / "confusion.csv", ("actual", "predicted"), pairs)
    table = per_class(split.labels, predicted, classes)
    write_csv(out / "per_class.csv", ("class", "precision", "recall", "f1", "support"), table)
    explained = explain(model, split, predicted, params.saliency)
    saliency.write(out / "saliency.npz", explained)
    metrics |= {
        "model": {"parameters": model.count_params(), "macs": macs(model)},
        "versions": versions(recipe.backend),
    }
    write_json(out / "metrics.json", metrics)
    return metrics


def read_protocol(audit: Path) -> str:
    """The protocol that index followed, from audit.json."""
    try:
        return str(json.loads(audit.read_text(encoding="utf-8"))["protocol"])
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
    parser.add_argument("--params", type=Path, required=True, help="YAML with section evaluate:")
    parser.add_argument("--recipe", type=Path, required=True, help="YAML with section train:")
    parser.add_argument("--audit", type=Path, required=True, help="audit.json of stage index")
    parser.add_argument("--arrays", type=Path, required=True, help="folder of stage preprocess")
    parser.add_argument("--model", type=Path, required=True, help="model.keras")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    args = parser.parse_args(argv)
    params = load(args.params, "evaluate", EvaluateParameters)
    recipe = load(args.recipe, "train", Recipe)
    metrics = evaluate(params, recipe, args.arrays, args.model, args.audit, args.out)
    for name in params.splits:
        s = metrics[name]
        print(
            f"{name}: accuracy {s['accuracy']:.4f} (95 % interval {s['accuracy_low']:.4f} to "
            f"{s['accuracy_high']:.4f}), macro F1 {s['macro_f1']:.4f}, n = {s['n']}"
        )


if __name__ == "__main__":
    run(main)
