"""Augmentation of whole uint8 batches (B, side, side) in NumPy; a generator determines the result.

NumPy releases the interpreter lock, so that a training step can run at the same time.
"""

import math

import numpy as np
from numpy.typing import NDArray

from facial_expression.network.recipe import Augmentation
from facial_expression.network.resampling import Flags, Images, about_centre, resample, shifted

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


def augment(
    images: Images, mirror: Flags, rng: np.random.Generator, settings: Augmentation
) -> Images:
    """A copy of pictures: moved, with other tones, partly erased; see also `mixup`.

    Those that `mirror`, bool (B,), names are mirrored left to right.  `rng` draws every choice; an
    ingredient that is switched off draws nothing.
    """
    count, side, _ = images.shape
    if settings.scale or settings.rotation:
        shifts = _draw(rng, settings.shift, (count, 2))
        factors = 1 + _draw(rng, settings.scale, (count,))
        angles = _draw(rng, settings.rotation, (count,))
        out = resample(images, *about_centre(side, mirror, angles, factors, shifts))
    else:  # whole pixels: nothing is interpolated
        furthest = math.floor(settings.shift)
        moves = np.zeros((2, count), np.int64)
        if furthest:
            moves = rng.integers(-furthest, furthest + 1, (2, count))
        out = shifted(images, mirror, *moves)
    if settings.brightness or settings.contrast:
        out = _with_other_tones(out, rng, settings)
    if settings.erasing:
        _erase(out, rng, settings.erasing)
    return out


def mixup(
    images: Images, targets: NDArray[np.float32], rng: np.random.Generator, alpha: float
) -> tuple[Images, NDArray[np.float32]]:
    """Each picture and its target (B, classes) mixed with those of another picture of the batch.

    As in Zhang et al. 2018, with one weight a batch, drawn from Beta(alpha, alpha), and a
    permutation for the partners.  The weight is rounded to 1/256, so that 16-bit integers mix the
    pictures by exactly the weight of the targets.  With `alpha` 0 nothing is drawn or mixed.
    """
    if not alpha:
        return images, targets
    weight = round(256 * rng.beta(alpha, alpha))
    partners = rng.permutation(len(images))
    mixed = images.astype(np.uint16) * weight
    mixed += images[partners].astype(np.uint16) * (256 - weight)
    mixed += 128  # rounds; 255 * 256 + 128 fits as well
    share = np.float32(weight / 256)
    return (mixed >> 8).astype(np.uint8), share * targets + (1 - share) * targets[partners]


def _with_other_tones(images: Images, rng: np.random.Generator, settings: Augmentation) -> Images:
    """Contrast and brightness: a multiplication and an addition for each pixel."""
    gains = 1 + _draw(rng, settings.contrast, (len(images), 1, 1))
    terms = _draw(rng, settings.brightness, (len(images), 1, 1)) + 0.5  # rounds
    terms += (1 - gains) * images.mean(axis=(1, 2), keepdims=True)
    grey = images * gains.astype(np.float32)
    grey += terms.astype(np.float32)
    return np.clip(grey, 0, 255, out=grey).astype(np.uint8)


def _erase(images: Images, rng: np.random.Generator, probability: float) -> None:
    """Random erasing in place, filled with noise, which its authors recommend (their RE-R).

    The aspect is log-uniform, so that high and wide rectangles are equally likely.
    """
    side = images.shape[1]
    chosen = np.flatnonzero(rng.random(len(images)) < probability)
    areas = rng.uniform(*AREAS, len(chosen))
    aspects = np.exp(_draw(rng, math.log(ASPECT), (len(chosen),)))
    sizes = np.rint(side * np.sqrt([areas * aspects, areas / aspects])).clip(1, side).astype(int)
    corners = np.floor(rng.random(sizes.shape) * (side - sizes + 1)).astype(int)
    noise = rng.integers(0, 256, sizes.prod(axis=0).sum(), dtype=np.uint8)
    for picture, (height, width), (top, left) in zip(
        chosen.tolist(), sizes.T.tolist(), corners.T.tolist(), strict=True
    ):
        patch, noise = noise[: height * width], noise[height * width :]
        images[picture, top : top + height, left : left + width] = patch.reshape(height, width)


def _draw(rng: np.random.Generator, furthest: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Uniform in [-furthest, furthest]; if that is 0, zeros without a draw."""
    return rng.uniform(-furthest, furthest, shape) if furthest else np.zeros(shape)
