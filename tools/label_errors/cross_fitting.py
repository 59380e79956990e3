"""Out-of-fold probabilities: each picture is judged by a network that was not fitted on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Split
from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.network.recipe import Recipe


def assign_folds(split: Split, classes: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold (from 0) of each picture, int64 (N,): stratified by label, equal pixels together.

    Raises:
        ParameterError: fewer than two folds.
        DatasetError: a class has fewer distinct pictures than there are folds, or stands in one
            fold alone, so that a network would be fitted without it.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if folds < 2:
        raise ParameterError(f"--folds: expected 2 or more, found {folds}; 5 is usual")
    numbers: dict[bytes, int] = {}
    groups = np.array([numbers.setdefault(image.tobytes(), len(numbers)) for image in split.images])
    for label in np.unique(split.labels):
        distinct = len(np.unique(groups[split.labels == label]))
        if distinct < folds:
            raise DatasetError(
                f"train: expected {folds} distinct pictures or more of every class, found "
                f"{distinct} of {classes[label]}; give fewer folds or more pictures"
            )
    found = np.empty(len(split), np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(split.images, split.labels, groups)):
        found[held_out] = fold
    for label in np.unique(split.labels):
        if len(np.unique(found[split.labels == label])) < 2:
            raise DatasetError(
                f"train: {classes[label]} stands in one fold alone, because most of its "
                "pictures are equal; give another number of folds or more pictures"
            )
    return found


def judging(recipe: Recipe) -> Recipe:
    """The recipe with the last weights kept: the held-out fold must choose nothing."""
    return replace(recipe, keep="last")


def parts(split: Split, fold_of: NDArray[np.int64], fold: int) -> tuple[Split, Split]:
    """The pictures of the other folds, and those of this fold, in their order."""
    return split.where(fold_of != fold), split.where(fold_of == fold)
