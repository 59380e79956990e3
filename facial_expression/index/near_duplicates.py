"""Near-duplicates: one photograph in two files that differ in encoding, light, mark or crop.

Two steps, as usual: a perceptual hash finds candidates cheaply, then the correlation of the
pictures decides.  Both use a thumbnail, so the cost does not grow with the size of the pictures;
comparing all hashes is quadratic in their number (35,000: 1.5 s of one core).

- The hash: the signs of the 63 lowest frequencies of the thumbnail's cosine transform (Zauner 2010,
  "Implementation and benchmarking of perceptual image hash functions", with the sign in place of
  the median, so that contrast cannot change a bit and a mirror image flips known ones).
- The similarity: Pearson's correlation of the thumbnails after a band-pass (difference of
  Gaussians, Marr and Hildreth 1980), the best over moves of one thumbnail pixel.  Faces that a
  detector has cropped share their coarse shading, so plain correlation calls strangers alike;
  the finest detail is left out because encoders change it.

The threshold depends on how alike the pictures of a set are anyway, so it is a parameter of the
set; docs/protocol.md says how FER2013's was chosen and how often a pair above it is true.
"""

from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SIDE = 24
"""Pixels of a thumbnail's side."""
RADIUS = 12
"""Bits of 63 by which the hashes of candidates differ at most."""
LOW, HIGH = 0.75, 2.0  # standard deviations of the band-pass, in thumbnail pixels
REACH = 1  # thumbnail pixels by which a picture may be moved
ROWS, PAIRS = 32, 512  # of hashes, and of candidates, compared at a time

Thumbnails = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Floats = NDArray[np.float32]
Positions = NDArray[np.intp]


def search(
    paths: NDArray[np.object_], thumbnails: Thumbnails, least: float, threads: int = 1
) -> pd.DataFrame:
    """Every pair of near-duplicates, upright or mirrored, in the order of their pictures.

    Args:
        paths: N names, of pictures of which none is blank.
        thumbnails: uint8 (N, SIDE, SIDE).
        least: similarity of near-duplicates, below 1; a mirrored pair needs a quarter of what is
            left to 1 more, because any two frontal faces look a little like each other's mirror
            image.
        threads: that compute; their number does not change the result.

    Returns:
        Columns path, partner (which comes earlier in `paths`), score (the similarity, up to 1).
    """
    with ThreadPoolExecutor(threads) as pool:
        blocks = range(0, max(len(paths), 1), PAIRS)
        parts = pool.map(perceptual_hashes, (thumbnails[i : i + PAIRS] for i in blocks))
        hashes = np.concatenate(list(parts))
        upright, mirrored = (candidates(hashes, flip, pool) for flip in (False, True))
        first, second = np.concatenate([upright, mirrored], axis=1)
        flip = np.arange(len(first)) >= len(upright[0])

        def scored(start: int) -> Floats:
            part = slice(start, start + PAIRS)
            one, two = thumbnails[first[part]], thumbnails[second[part]]
            two[flip[part]] = two[flip[part], :, ::-1]
            return similarity(one, two)

        scores = np.concatenate(list(pool.map(scored, range(0, max(len(first), 1), PAIRS))))
    pairs = pd.DataFrame({"first": first, "second": second, "score": scores})
    pairs = pairs[scores >= np.where(flip, least + (1 - least) / 4, least)]
    best = pairs.groupby(["first", "second"], as_index=False).max()
    partners = {"path": paths[best["second"]], "partner": paths[best["first"]]}
    return pd.DataFrame(partners | {"score": best["score"].astype(float)})


def perceptual_hashes(thumbnails: Thumbnails) -> Hashes:
    """64 bits a thumbnail, the highest always 0: uint64 (N,) of uint8 (N, SIDE, SIDE)."""
    places = np.arange(SIDE) + 0.5
    waves = np.cos(np.pi / SIDE * np.arange(8)[:, None] * places)  # DCT-II, up to its scale
    bits = waves @ thumbnails @ waves.T > 1e-6  # (N, 8, 8); not 0: rounding must not set a bit
    bits[:, 0, 0] = False  # mean grey
    return np.packbits(bits.reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


MIRROR = np.uint64(0x5555555555555555)
"""The bits of a hash that a mirror image flips: those of odd horizontal frequencies."""


def candidates(hashes: Hashes, mirrored: bool, pool: Executor) -> tuple[Positions, Positions]:
    """Positions (first, second), first < second, of all hashes within `RADIUS` of each other."""
    others = hashes ^ MIRROR if mirrored else hashes

    def block(start: int) -> tuple[Positions, Positions]:
        distances = np.bitwise_count(hashes[start : start + ROWS, None] ^ others[start:])
        near = np.flatnonzero(distances <= RADIUS)  # three times as fast as nonzero in 2-D
        first, second = np.divmod(near, max(distances.shape[1], 1))
        later = second > first
        return first[later] + start, second[later] + start

    firsts, seconds = zip(*pool.map(block, range(0, max(len(hashes), 1), ROWS)), strict=True)
    return np.concatenate(firsts), np.concatenate(seconds)


def similarity(one: Thumbnails, two: Thumbnails) -> Floats:
    """Likeness of N pairs, float32 (N,), -1 to 1: the best correlation over small moves."""
    one_detail, two_detail = _detail(one), _detail(two)
    best = np.full(len(one), -1.0, np.float32)
    inside = {move: slice(max(0, move), SIDE + min(0, move)) for move in range(-REACH, REACH + 1)}
    for down, right in product(inside, repeat=2):
        moved = one_detail[:, inside[down], inside[right]]
        fixed = two_detail[:, inside[-down], inside[-right]]
        np.maximum(best, _correlation(moved, fixed), out=best)
    return best


def _detail(thumbnails: Thumbnails) -> Floats:
    """Difference of Gaussians, float32 (N, SIDE, SIDE)."""
    fine, coarse = _gaussian(LOW), _gaussian(HIGH)
    return fine @ thumbnails @ fine.T - coarse @ thumbnails @ coarse.T


def _gaussian(deviation: float) -> NDArray[Any]:
    """A Gaussian filter along one axis as a float32 matrix; borders are mirrored.

    As SciPy's `gaussian_filter1d`, whose import takes as long as all products with this matrix.
    """
    reach = round(4 * deviation)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    places = np.pad(np.eye(SIDE), ((reach, reach), (0, 0)), "symmetric")
    windows = sliding_window_view(places, len(weights), axis=0)
    return (windows @ (weights / weights.sum())).astype(np.float32)


def _correlation(one: Floats, two: Floats) -> Floats:
    one = one - one.mean(axis=(1, 2), keepdims=True)
    two = two - two.mean(axis=(1, 2), keepdims=True)
    product = np.einsum("nij,nij->n", one, two)
    norms = np.einsum("nij,nij->n", one, one) * np.einsum("nij,nij->n", two, two)
    return product / np.sqrt(np.maximum(norms, np.finfo(np.float32).tiny))
