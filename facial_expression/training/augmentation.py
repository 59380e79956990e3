"""Augmentation of whole uint8 batches in NumPy, reproducible from a generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


def augment(images: Images, rng: np.random.Generator, *, flip: bool, shift: int) -> Images:
    """A varied copy of a batch; `images` uint8 (B, side, side) stays as it is.

    Args:
        images: the batch.
        rng: draws every choice.
        flip: mirror each picture left to right with probability 1/2.
        shift: move the batch by up to so many pixels along each axis; edges are repeated.
    """
    if flip:
        mirrored = rng.random(len(images)) < 0.5
        images = np.where(mirrored[:, None, None], images[:, :, ::-1], images)
    if shift:
        images = shifted(images, *rng.integers(-shift, shift + 1, 2))
    return images


def shifted(images: Images, down: int, right: int) -> Images:
    """Pictures (B, side, side) moved by whole pixels; the uncovered border repeats the edge."""
    rows = np.clip(np.arange(images.shape[1]) - down, 0, images.shape[1] - 1)
    columns = np.clip(np.arange(images.shape[2]) - right, 0, images.shape[2] - 1)
    return images[:, rows[:, None], columns]
