"""Move the pixels of whole uint8 batches (B, side, side): by whole pixels, or by affine maps.

Why not by OpenCV is in docs/decisions.md.
"""

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Flags = NDArray[np.bool_]  # (B,)
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]  # (B,)

PART = 1 << 15  # pixels processed at a time, to stay in the second-level cache: 14 of 48x48
UNIT = 1 << 16  # one pixel in the fixed-point coordinates of `resample`
FAR = 1 << 30  # they are clipped to 16,384 pixels, so that the sum of two fits 32 bits


def shifted(images: Images, mirror: Flags, down: Integers, right: Integers) -> Images:
    """Pictures, mirrored where `mirror` is True, then moved by whole pixels, edges repeated."""
    count, side, _ = images.shape
    rows = np.clip(np.arange(side) - down[:, None], 0, side - 1)
    columns = np.clip(np.arange(side) - right[:, None], 0, side - 1)
    columns[mirror] = side - 1 - columns[mirror]
    rows = (rows + side * np.arange(count)[:, None]) * side
    return images.reshape(-1).take(rows[:, :, None] + columns[:, None, :])


def about_centre(
    side: int, mirror: Flags, angles: Floats, factors: Floats, shifts: Floats
) -> tuple[Floats, Floats]:
    """The maps with which `resample` mirrors, turns and enlarges pictures, then shifts them.

    Pictures where `mirror` (B,) is True are mirrored left to right; all are turned about their
    centre by `angles` (B,), in degrees anticlockwise, enlarged by `factors` (B,) and shifted by
    `shifts` (B, 2), in pixels down and to the right.  Gives matrices (B, 2, 2), offsets (B, 2).
    """
    cosine, sine = np.cos(np.radians(angles)) / factors, np.sin(np.radians(angles)) / factors
    matrices = np.stack([cosine, sine, -sine, cosine], axis=-1).reshape(-1, 2, 2)
    centre = (side - 1) / 2
    offsets = centre - (matrices @ (centre + shifts)[:, :, None])[:, :, 0]
    matrices[mirror, 1] *= -1
    offsets[mirror, 1] = side - 1 - offsets[mirror, 1]
    return matrices, offsets


def resample(images: Images, matrices: Floats, offsets: Floats) -> Images:
    """Pictures under affine maps: pixel p of the result is at `matrix @ p + offset` of the picture.

    As `scipy.ndimage.affine_transform(order=1, mode="nearest")`: bilinear, edges repeated.
    Coordinates (row, column) are rounded to 1/256 pixel, which changes grey levels by at most one.
    Matrices are (B, 2, 2), offsets (B, 2).
    """
    side = images.shape[1]
    half = 1 / 512  # rounds
    down = _fixed(matrices[:, :, 0, None] * np.arange(side) + offsets[:, :, None] + half)
    right = _fixed(matrices[:, :, 1, None] * np.arange(side))  # both (B, 2, side)
    out = np.empty_like(images)
    step = max(1, PART // side**2)
    for part in (slice(start, start + step) for start in range(0, len(images), step)):
        at = down[part, :, :, None] + right[part, :, None, :]  # (b, 2, side, side)
        np.clip(at, 0, (side - 1) * UNIT, out=at)
        out[part] = _bilinear(images[part], at[:, 0], at[:, 1])
    return out


def _fixed(coordinates: Floats) -> NDArray[np.int32]:
    return np.rint(coordinates * UNIT).clip(-FAR, FAR).astype(np.int32)


def _bilinear(
    images: Images, rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> NDArray[np.uint32]:
    """Grey levels of images at fixed-point coordinates of the same shape.

    A pixel and the one below it share 32 bits: two look-ups fetch all four neighbours, and one
    interpolation between columns serves both rows (modulo 2**32, which is correct because each
    half of the result fits 16 bits).  Neighbours beyond the edge have weight 0.
    """
    side = images.shape[1]
    pixels = np.zeros(images.size + side + 1, np.uint32)
    pixels[: images.size] = images.reshape(-1)
    pairs = pixels[side:] << 16
    pairs |= pixels[:-side]

    positions = (rows >> 16) * side + (columns >> 16)
    positions += np.arange(0, images.size, side * side, dtype=np.int32)[:, None, None]
    left = pairs.take(positions, mode="wrap")  # all are inside: "raise" is slower
    right = pairs[1:].take(positions, mode="wrap")

    right -= left
    right *= _fraction(columns)
    left <<= 8
    left += right
    upper, lower = left & 0xFFFF, left >> 16
    lower -= upper
    lower *= _fraction(rows)
    upper <<= 8
    upper += lower
    upper += 1 << 15  # rounds
    upper >>= 16
    return upper


def _fraction(coordinates: NDArray[np.int32]) -> NDArray[np.uint32]:
    """The first eight fractional bits."""
    return ((coordinates >> 8) & 0xFF).view(np.uint32)
