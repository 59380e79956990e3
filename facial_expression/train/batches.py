"""The training batches: order, augmentation and targets, prepared while the network computes."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Split
from facial_expression.core.threads import map_ahead
from facial_expression.network.devices import ALONE, Devices
from facial_expression.network.recipe import Recipe
from facial_expression.train.augmentation import augment, draw, mirrored, mixup

AHEAD = 3  # batches prepared before they are needed

Positions = NDArray[np.int64]
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Batch(NamedTuple):
    """The input of one step: uint8 (B, side, side, 1); float32 (B, classes), rows sum to 1."""

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]


def batch_order(recipe: Recipe, pictures: int, epoch: int) -> list[Positions]:
    """Positions of each batch of an epoch; seed and epoch determine them.

    Every picture comes once; the last batch is filled up with the epoch's first pictures, so that
    all batches have the same size.
    """
    order = np.random.default_rng([recipe.seed, epoch]).permutation(pictures)
    size = min(recipe.batch_size, pictures)
    steps = -(-pictures // size)
    return list(np.resize(order, steps * size).reshape(steps, size))


def epoch_batches(
    recipe: Recipe,
    split: Split,
    classes: int,
    epoch: int,
    order: Iterable[Positions],
    teacher: Predict | None = None,
    devices: Devices = ALONE,
) -> Iterator[Batch]:
    """The batches of one epoch (from 1), prepared ahead of their use by a second thread.

    Seed, epoch and step determine a batch; `order` is from `batch_order`.  Label smoothing applies
    to the soft targets of `split` too.  `teacher` gives class probabilities (B, classes) of uint8
    pictures (B, side, side).  Of each batch this process makes, and reads, its part: every choice
    is drawn for the whole batch, so that the parts together are the batch of one process.
    """
    flips = mirrored(recipe.augmentation, recipe.seed, epoch, len(split))
    labels, soft = split.labels, split.targets
    smooth = (1 - recipe.label_smoothing) * (np.eye(classes) if soft is None else soft)
    smooth = (smooth + recipe.label_smoothing / classes).astype(np.float32)

    def prepare(item: tuple[int, Positions]) -> Batch:
        step, chosen = item
        rng = np.random.default_rng([recipe.seed, epoch, 3, step])  # 2: `mirrored`
        changes = draw(rng, len(chosen), split.images.shape[1], recipe.augmentation)
        mine = devices.part(np.arange(len(chosen)))
        partners = changes.partners[mine]
        needed = np.concatenate([mine, np.setdiff1d(partners, mine)])  # positions in the batch
        rows = chosen[needed]
        images = augment(split.images[rows], flips[rows], changes.of(needed), recipe.augmentation)
        targets = smooth[labels[rows] if soft is None else rows]
        if recipe.augmentation.mixup:
            place = np.argsort(needed)[np.searchsorted(np.sort(needed), partners)]
            images, targets = mixup(images, targets, changes.weight, place)
        if teacher:
            share = np.float32(recipe.teacher.share)
            targets = (1 - share) * targets + share * teacher(images)
        return Batch(images[..., None], targets)

    return map_ahead(prepare, enumerate(order), threads=1, ahead=AHEAD)
