"""The training batches: order, augmentation and targets, prepared while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.arrays import Split
from facial_expression.network.recipe import Recipe
from facial_expression.train.augmentation import augment, mirrored, mixup

AHEAD = 3  # batches prepared before they are asked for

Item = TypeVar("Item")
Result = TypeVar("Result")
Positions = NDArray[np.int64]
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        images: uint8 (B, side, side, 1).
        targets: float32 (B, classes), rows sum to 1.
        weights: float32 (B,) loss weights, or None for equal ones.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32] | None


def batch_order(recipe: Recipe, labels: NDArray[np.int64], epoch: int) -> list[Positions]:
    """Positions of each batch of an epoch, which seed and epoch determine; all batches are full.

    With natural sampling every picture comes once, and the last batch is filled up with the
    epoch's first ones; with balanced sampling each class makes up an equal share, drawn with
    replacement.
    """
    rng = np.random.default_rng([recipe.seed, epoch])
    if recipe.sampling == "balanced":
        classes, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
        order = rng.choice(len(labels), len(labels), p=1 / (len(classes) * counts[which]))
    else:
        order = rng.permutation(len(labels))
    size = min(recipe.batch_size, len(labels))
    steps = -(-len(labels) // size)
    return list(np.resize(order, steps * size).reshape(steps, size))


def class_weights(recipe: Recipe, labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Loss weight of each class, float32 (classes,); balanced as scikit-learn's is."""
    if recipe.class_weights == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return (len(labels) / (present * np.maximum(counts, 1))).astype(np.float32)


def epoch_batches(
    recipe: Recipe,
    split: Split,
    classes: int,
    epoch: int,
    order: Iterable[Positions],
    teacher: Predict | None = None,
) -> Iterator[Batch]:
    """The batches of one epoch (from 1), prepared by a second thread ahead of their use.

    Args:
        recipe: says how pictures and targets are varied; its label smoothing spreads its share of
            a soft target as it does of a hard one.
        split: the training pictures, already of the epoch's side, and their soft targets, if any.
        classes: number of classes.
        epoch: seed, epoch and step determine a batch, whatever was drawn before.
        order: of `batch_order`.
        teacher: class probabilities (B, classes) of uint8 pictures (B, side, side).
    """
    flips = mirrored(recipe.augmentation, recipe.seed, epoch, len(split))
    weights = class_weights(recipe, split.labels, classes)
    labels, soft = split.labels, split.targets
    smooth = (1 - recipe.label_smoothing) * (np.eye(classes) if soft is None else soft)
    smooth = (smooth + recipe.label_smoothing / classes).astype(np.float32)

    def prepare(item: tuple[int, Positions]) -> Batch:
        step, chosen = item
        rng = np.random.default_rng([recipe.seed, epoch, 3, step])  # 2: `mirrored`
        images = augment(split.images[chosen], flips[chosen], rng, recipe.augmentation)
        targets = smooth[labels[chosen] if soft is None else chosen]
        if recipe.augmentation.mixup:
            images, targets = mixup(images, targets, rng, recipe.augmentation.mixup)
        if teacher:
            share = np.float32(recipe.teacher.share)
            targets = (1 - share) * targets + share * teacher(images)
        loss_weights = None if recipe.class_weights == "none" else targets @ weights
        return Batch(images[..., None], targets, loss_weights)

    return ahead(prepare, enumerate(order))


def ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map(function, items)` in order, computed in a second thread a few results ahead."""
    with ThreadPoolExecutor(1) as pool:
        pending: deque = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def resized(split: Split, side: int) -> Split:
    """The split with its pictures shrunk to `side` pixels by averaging areas."""
    if split.images.shape[1] == side:
        return split
    size = (side, side)
    images = [Image.fromarray(i).resize(size, Image.Resampling.BOX) for i in split.images]
    return replace(split, images=np.stack([np.asarray(image) for image in images]))
