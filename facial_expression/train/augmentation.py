"""Augmentation of whole uint8 batches (B, side, side) in NumPy; a generator determines the result.

NumPy releases the interpreter lock, so that a training step can run at the same time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facial_expression.network.recipe import Augmentation
from facial_expression.network.resampling import (
    Flags,
    Floats,
    Images,
    about_centre,
    resample,
    shifted,
)

AREAS = (0.02, 0.2)  # of an erased rectangle, as shares of the picture
ASPECT = 1 / 0.3  # largest ratio of its sides


def mirrored(settings: Augmentation, seed: int, epoch: int, pictures: int) -> Flags:
    """The pictures that an epoch (from 1) mirrors, bool (pictures,), set by seed and epoch."""
    if settings.flip == "none":
        return np.zeros(pictures, bool)
    alternating = settings.flip == "alternating"
    # the last number makes the stream differ from those of order and augmentation
    rng = np.random.default_rng([seed, 0 if alternating else epoch, 2])
    heads = rng.random(pictures) < 0.5
    return ~heads if alternating and epoch % 2 == 0 else heads


Patch = tuple[int, int, Images]  # top, left, noise (height, width)


@dataclass(frozen=True)
class Changes:
    """What `draw` chose for the B pictures of a batch; of an ingredient that is off, nothing."""

    shifts: Floats  # (B, 2), pixels down and to the right; whole ones if nothing is interpolated
    factors: Floats  # (B,), enlarged by
    angles: Floats  # (B,), degrees
    gains: Floats  # (B,), of contrast
    terms: Floats  # (B,), of brightness
    patches: dict[int, Patch]  # of the pictures that are partly erased
    weight: int  # of a picture beside its partner, in 1/256
    partners: NDArray[np.int64]  # (B,)

    def of(self, rows: NDArray[np.int64]) -> Changes:
        """The changes of some pictures of the batch; `partners` stay positions in all of it."""
        kept = {i: self.patches[row] for i, row in enumerate(rows) if row in self.patches}
        few = (self.shifts[rows], self.factors[rows], self.angles[rows])
        tones = (self.gains[rows], self.terms[rows])
        return Changes(*few, *tones, kept, self.weight, self.partners[rows])


def draw(rng: np.random.Generator, count: int, side: int, settings: Augmentation) -> Changes:
    """Every choice for a batch of `count` pictures; an ingredient that is off draws nothing."""
    if settings.scale or settings.rotation:
        shifts = _draw(rng, settings.shift, (count, 2))
    elif furthest := math.floor(settings.shift):
        shifts = rng.integers(-furthest, furthest + 1, (2, count)).T.astype(np.float64)
    else:
        shifts = np.zeros((count, 2))
    factors = 1 + _draw(rng, settings.scale, (count,))
    angles = _draw(rng, settings.rotation, (count,))
    gains = 1 + _draw(rng, settings.contrast, (count,))
    terms = _draw(rng, settings.brightness, (count,))
    patches = _patches(rng, count, side, settings.erasing) if settings.erasing else {}
    weight, partners = 256, np.arange(count)
    if settings.mixup:
        weight = round(256 * rng.beta(settings.mixup, settings.mixup))
        partners = rng.permutation(count)
    return Changes(shifts, factors, angles, gains, terms, patches, weight, partners)


def augment(images: Images, mirror: Flags, changes: Changes, settings: Augmentation) -> Images:
    """A copy of pictures: moved, with other tones, partly erased; see also `mixup`.

    Those that `mirror`, bool (B,), names are mirrored left to right.  `changes` are theirs.
    """
    if settings.scale or settings.rotation:
        maps = (mirror, changes.angles, changes.factors, changes.shifts)
        out = resample(images, *about_centre(images.shape[1], *maps))
    else:  # whole pixels: nothing is interpolated
        out = shifted(images, mirror, *changes.shifts.T.astype(np.int64))
    if settings.brightness or settings.contrast:
        out = _with_other_tones(out, changes)
    for picture, (top, left, noise) in changes.patches.items():
        height, width = noise.shape
        out[picture, top : top + height, left : left + width] = noise
    return out


def mixup(
    images: Images, targets: NDArray[np.float32], weight: int, partners: NDArray[np.int64]
) -> tuple[Images, NDArray[np.float32]]:
    """The first pictures and targets (.., classes), each mixed with that of its partner.

    As in Zhang et al. 2018, with one weight a batch, drawn from a Beta distribution, and a
    permutation for the partners, which are positions in `images`.  The weight is rounded to 1/256,
    so that 16-bit integers mix the pictures by exactly the weight of the targets.
    """
    first = len(partners)
    mixed = images[:first].astype(np.uint16) * weight
    mixed += images[partners].astype(np.uint16) * (256 - weight)
    mixed += 128  # rounds; 255 * 256 + 128 fits as well
    share = np.float32(weight / 256)
    soft = share * targets[:first] + (1 - share) * targets[partners]
    return (mixed >> 8).astype(np.uint8), soft


def _with_other_tones(images: Images, changes: Changes) -> Images:
    """Contrast and brightness: a multiplication and an addition for each pixel."""
    gains = changes.gains[:, None, None]
    terms = changes.terms[:, None, None] + 0.5  # rounds
    terms += (1 - gains) * images.mean(axis=(1, 2), keepdims=True)
    grey = images * gains.astype(np.float32)
    grey += terms.astype(np.float32)
    return np.clip(grey, 0, 255, out=grey).astype(np.uint8)


def _patches(
    rng: np.random.Generator, count: int, side: int, probability: float
) -> dict[int, Patch]:
    """Random erasing, filled with noise, which its authors recommend (their RE-R).

    The aspect is log-uniform, so that high and wide rectangles are equally likely.
    """
    chosen = np.flatnonzero(rng.random(count) < probability)
    areas = rng.uniform(*AREAS, len(chosen))
    aspects = np.exp(_draw(rng, math.log(ASPECT), (len(chosen),)))
    sizes = np.rint(side * np.sqrt([areas * aspects, areas / aspects])).clip(1, side).astype(int)
    corners = np.floor(rng.random(sizes.shape) * (side - sizes + 1)).astype(int)
    noise = rng.integers(0, 256, sizes.prod(axis=0).sum(), dtype=np.uint8)
    patches = {}
    for picture, (height, width), (top, left) in zip(
        chosen.tolist(), sizes.T.tolist(), corners.T.tolist(), strict=True
    ):
        patch, noise = noise[: height * width], noise[height * width :]
        patches[picture] = (top, left, patch.reshape(height, width))
    return patches


def _draw(rng: np.random.Generator, furthest: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Uniform in [-furthest, furthest]; if that is 0, zeros without a draw."""
    return rng.uniform(-furthest, furthest, shape) if furthest else np.zeros(shape)
