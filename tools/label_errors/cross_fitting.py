"""Out-of-fold probabilities: each picture is judged by a network that was not fitted on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facial_expression.core.arrays import Split, write_array
from facial_expression.core.errors import DatasetError, ParameterError, reason
from facial_expression.index.splits import units
from facial_expression.network.recipe import Recipe
from facial_expression.train.run import Pace, read_networks, shown

if TYPE_CHECKING:
    from facial_expression.train.batches import Batch
    from facial_expression.train.checkpoints import State


def assign_folds(
    split: Split,
    classes: Sequence[str],
    folds: int,
    seed: int,
    persons: Mapping[str, str] = MappingProxyType({}),
) -> NDArray[np.int64]:
    """The fold (from 0) of each picture, int64 (N,): stratified by label, equal pixels together.

    `persons` are the groups of people.csv by path; pictures of one share a fold.

    Raises:
        ParameterError: fewer than two folds.
        DatasetError: a class has fewer distinct pictures than there are folds, or all its pictures
            are in one fold, so that a network would be fitted without the class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if folds < 2:
        raise ParameterError(f"--folds: expected 2 or more, found {folds}; 5 is usual")
    images, numbers = np.asarray(split.images), dict[bytes, int]()
    pixels = [str(numbers.setdefault(image.tobytes(), len(numbers))) for image in images]
    named = [persons.get(path, "") for path in split.paths]
    table = pd.DataFrame({"path": split.paths, "sha256": pixels, "group": named})
    groups = units(table).to_numpy()
    for label in np.unique(split.labels):
        distinct = len(np.unique(groups[split.labels == label]))
        if distinct < folds:
            raise DatasetError(
                f"train: expected {folds} distinct pictures (or persons) of every class, found "
                f"{distinct} of {classes[label]}; give fewer folds or more pictures"
            )
    found = np.empty(len(split), np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(images, split.labels, groups)):
        found[held_out] = fold
    for label in np.unique(split.labels):
        if len(np.unique(found[split.labels == label])) < 2:
            raise DatasetError(
                f"train: all pictures of {classes[label]} are in one fold, because most of them "
                "are equal; give another number of folds or more pictures"
            )
    return found


def out_of_fold(
    recipe: Recipe, train: Split, classes: Sequence[str], fold_of: NDArray[np.int64], done: Path
) -> NDArray[np.float64]:
    """Probabilities (N, K) of each picture by the network of the other folds.

    The probabilities of a fold are kept as `done`/fold-<number>.npy and not computed again.
    """
    folds = int(fold_of.max()) + 1
    found = np.empty((len(train), len(classes)))
    files = [done / f"fold-{fold}.npy" for fold in range(folds)]
    missing = [path for path in files if not path.exists()]
    if len(missing) < folds:
        print(f"{done}: {folds - len(missing)} of {folds} folds are finished already")
    pace = Pace(len(missing) * recipe.epochs)
    for fold, path in enumerate(files):
        if path in missing:
            title = f"fold {fold + 1}/{folds}"
            write_array(path, judged(recipe, train, classes, fold_of == fold, title, pace))
        try:
            found[fold_of == fold] = np.load(path)
        except Exception as error:  # noqa: BLE001  NumPy's and those of zips
            what, remedy = "the probabilities of a fold", "delete it and run again"
            raise DatasetError.expected(path, what, reason(error), remedy) from None
    return found


def judged(
    recipe: Recipe,
    train: Split,
    classes: Sequence[str],
    held_out: NDArray[np.bool_],
    title: str,
    pace: Pace,
) -> NDArray[np.float32]:
    """Probabilities (held out, K) of the held-out pictures by a network fitted on the others."""
    from facial_expression.train import fit

    def name(epoch: int) -> str:
        return f"{title}, epoch {epoch}/{recipe.epochs}"

    def progress(batches: Iterable[Batch], epoch: int, steps: int) -> Iterable[Batch]:
        return shown(batches, name(epoch), steps)

    def after_epoch(state: State) -> None:
        row = state.history[-1]
        print(
            f"{name(len(state.history))}: loss {row['loss']:.4f}, "
            f"held-out accuracy {row['val_accuracy']:.4f}; {pace.after_epoch()}",
            flush=True,
        )

    part = train.where(held_out)
    data = fit.Data(train.where(~held_out), part, classes, *read_networks(recipe))
    model, _ = fit.fit(recipe, data, after_epoch=after_epoch, progress=progress)
    return fit.predicted(model, part.images)
