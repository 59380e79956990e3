"""Eight corruptions of pictures, each in five strengths.

After D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions
and Perturbations", ICLR 2019, arXiv:1903.12261 (code: github.com/hendrycks/robustness): Gaussian
blur, Gaussian noise, JPEG compression, brightness, contrast and pixelation.  Their colour
photographs have 224 (ImageNet-C) or 32 pixels a side (CIFAR-10-C); FER2013's faces are grey and
have 48.  So the strengths were chosen by looking at the drawn sample: 1 is mild, and at 5 a person
still recognises most expressions.  Added are rotation, and occlusion by a grey square (M. Zeiler,
R. Fergus, arXiv:1311.2901, section 4.2).

Lengths are for a side of 48 pixels and grow with the side.  Random choices (noise, the place of the
square, the direction of a rotation, darker or brighter) depend on the seed, the corruption and the
picture's place in the array, but not on the strength.
"""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Pictures = NDArray[np.uint8]
SIDE = 48
"""The side, in pixels, for which lengths are given."""
GREY = 128
"""What covers an occluded part."""


class Corruption(NamedTuple):
    """One kind of corruption.

    Attributes:
        measure: the quantity of `values`, with its unit.
        values: one for each strength, 1 to 5.
        apply: (pictures, value, generator) -> pictures; uint8 (N, side, side).
    """

    measure: str
    values: tuple[float, float, float, float, float]
    apply: Callable[[Pictures, float, np.random.Generator], Pictures]


def corrupted(pictures: Pictures, name: str, strength: int, seed: int) -> Pictures:
    """A copy of `pictures`, uint8 (N, side, side), under one of `CORRUPTIONS`.

    `strength` is 1 to 5; 0 gives the pictures as they are.  `seed` is of all random choices.
    """
    if strength == 0:
        return pictures.copy()
    corruption = CORRUPTIONS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    return corruption.apply(pictures, corruption.values[strength - 1], rng)


def blur(pictures: Pictures, sigma: float, _: np.random.Generator) -> Pictures:
    """A Gaussian filter of this standard deviation."""
    width = sigma * pictures.shape[1] / SIDE
    return _rounded(ndimage.gaussian_filter(_floats(pictures), (0, width, width), mode="nearest"))


def noise(pictures: Pictures, deviation: float, rng: np.random.Generator) -> Pictures:
    """Independent Gaussian noise on every pixel, its deviation a share of white."""
    drawn = rng.standard_normal(pictures.shape, np.float32)
    return _rounded(_floats(pictures) + 255 * deviation * drawn)


def jpeg(pictures: Pictures, quality: float, _: np.random.Generator) -> Pictures:
    """Encoded as JPEG at this quality (libjpeg's 1 to 95) and decoded again."""
    return _each(pictures, lambda image: _through_jpeg(image, round(quality)))


def brightness(pictures: Pictures, change: float, rng: np.random.Generator) -> Pictures:
    """A share of white is added to all pixels or, with probability 1/2, subtracted."""
    sign = _signs(len(pictures), rng)[:, None, None]
    return _rounded(_floats(pictures) + 255 * change * sign)


def contrast(pictures: Pictures, kept: float, _: np.random.Generator) -> Pictures:
    """Differences from the picture's mean are multiplied by this share."""
    floats = _floats(pictures)
    mean = floats.mean(axis=(1, 2), keepdims=True)
    return _rounded(mean + kept * (floats - mean))


def rotation(pictures: Pictures, degrees: float, rng: np.random.Generator) -> Pictures:
    """Rotated to the left or right, at random; the edges are repeated beyond the border."""
    signs = _signs(len(pictures), rng)
    turned = [
        ndimage.rotate(picture, degrees * sign, reshape=False, order=1, mode="nearest")
        for picture, sign in zip(_floats(pictures), signs, strict=True)
    ]
    return _rounded(np.stack(turned))


def occlusion(pictures: Pictures, side: float, rng: np.random.Generator) -> Pictures:
    """A grey square of this side at a random place; a larger one covers the smaller ones."""
    count, height = pictures.shape[:2]
    size = round(side * height / SIDE)
    places = np.rint(rng.random((count, 2)) * (height - size)).astype(np.int64)
    covered = pictures.copy()
    for picture, (top, left) in zip(covered, places, strict=True):
        picture[top : top + size, left : left + size] = GREY
    return covered


def low_resolution(pictures: Pictures, side: float, _: np.random.Generator) -> Pictures:
    """Shrunk to this side and enlarged again with Lanczos' filter, as `images.square` would."""
    height = pictures.shape[1]
    small = max(1, round(side * height / SIDE))

    def resampled(image: Image.Image) -> Image.Image:
        shrunk = image.resize((small, small), Image.Resampling.LANCZOS)
        return shrunk.resize((height, height), Image.Resampling.LANCZOS)

    return _each(pictures, resampled)


CORRUPTIONS = {
    "blur": Corruption("deviation of the filter, pixels", (0.5, 0.75, 1, 1.5, 2), blur),
    "noise": Corruption("deviation, share of white", (0.03, 0.06, 0.09, 0.12, 0.16), noise),
    "jpeg": Corruption("quality", (60, 40, 25, 15, 10), jpeg),
    "brightness": Corruption("change, share of white", (0.08, 0.16, 0.24, 0.32, 0.4), brightness),
    "contrast": Corruption("share kept", (0.75, 0.5, 0.35, 0.25, 0.15), contrast),
    "rotation": Corruption("degrees", (5, 10, 20, 30, 45), rotation),
    "occlusion": Corruption("side of the square, pixels", (8, 12, 16, 20, 24), occlusion),
    "low resolution": Corruption("side, pixels", (32, 24, 18, 14, 10), low_resolution),
}
"""By name, in the order of tables and plots."""
STRENGTHS = (1, 2, 3, 4, 5)


def _floats(pictures: Pictures) -> NDArray[np.float32]:
    return pictures.astype(np.float32)


def _rounded(values: NDArray[np.float32]) -> Pictures:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _signs(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return np.where(rng.random(count) < 0.5, np.float32(-1), np.float32(1))


def _each(pictures: Pictures, change: Callable[[Image.Image], Image.Image]) -> Pictures:
    return np.stack([np.asarray(change(Image.fromarray(picture))) for picture in pictures])


def _through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)
