"""Near-duplicates: one photograph in two files that differ in encoding, light, mark or crop.

A perceptual hash names candidates, a coarse look dismisses most of them, and the correlation of the
pictures decides.  All use a thumbnail, so their cost does not grow with the pictures' size.

- The hash: the signs of the 63 lowest frequencies of the thumbnail's cosine transform (Zauner 2010,
  "Implementation and benchmarking of perceptual image hash functions", with the sign in place of
  the median, so that contrast cannot change a bit and a mirror image flips known ones).
- The similarity: Pearson's correlation of the thumbnails after a band-pass (difference of
  Gaussians, Marr and Hildreth 1980), the best over moves of one thumbnail pixel.  Faces that a
  detector has cropped share their coarse shading, so plain correlation calls strangers alike;
  the finest detail is left out because encoders change it.
- The look: nearly the same on half as many rows and columns, several times as fast.  Of what it
  leaves, the similarity is first computed for all partners of a picture at once, up to `ROUNDING`.

Up to `ALL` pictures are compared each with each.  More are put into cells of similar
pictures by k-means, and each is compared with those in the `PROBED` cells nearest to it (an
inverted file: Sivic and Zisserman 2003, "Video Google"), so the hashes to compare grow with the
number of pictures and not with its square.  docs/protocol.md says what that misses.

The threshold depends on how alike the pictures of a set are anyway, so it is a parameter of the
set; docs/protocol.md says how FER2013's was chosen and how often a pair above it is true.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

SIDE = 24
"""Pixels of a thumbnail's side."""
RADIUS = 12
"""Bits of 63 by which the hashes of candidates differ at most."""
LOW, HIGH = 0.75, 2.0  # standard deviations of the band-pass, in thumbnail pixels
REACH = 1  # thumbnail pixels by which a picture may be moved
STEPS = 256  # of a look, in eight bits
MARGIN = 0.12  # by which two pictures may look less alike than they are
ROUNDING = 1e-3  # the same for sums in another order
ALL = 40_000  # pictures of which each is compared with each
CELL = 625  # pictures of a cell, on average
PROBED = 16  # cells that a picture is compared with
SAMPLED, ROUNDS = 16, 10  # pictures a cell that k-means sees, and how often
TASK = 4096  # pictures that a thread compares with others at a time
BLOCK, BATCH, PAIRS = 1 << 17, 1 << 18, 256  # hashes, looks and thumbnails compared at a time
FEW = 32  # pictures with all their pairs, which may be many

Thumbnails = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Floats = NDArray[np.float32]
Positions = NDArray[np.intp]
Pairs = tuple[Positions, Positions]


@dataclass(frozen=True)
class Cells:
    """N pictures, each in one cell, and the cells where the partners of each are sought."""

    own: NDArray[np.uint16]  # (N,)
    probed: NDArray[np.uint16]  # (N, number of cells)

    @cached_property
    def members(self) -> list[Positions]:
        """The pictures in each cell, in their order."""
        order = np.argsort(self.own, kind="stable")
        sizes = np.bincount(self.own, minlength=int(self.probed.max(initial=0)) + 1)
        return np.split(order, np.cumsum(sizes)[:-1])

    def tasks(self) -> Iterator[Positions]:
        """All pictures, some of one cell at a time."""
        for cell in self.members:
            yield from (cell[i : i + TASK] for i in range(0, max(len(cell), 1), TASK))


@dataclass(frozen=True)
class _Pictures:
    """N pictures among which partners are sought, upright or mirrored."""

    thumbnails: Thumbnails  # (N, SIDE, SIDE)
    hashes: Hashes  # (N,)
    looks: NDArray[np.int8]  # (N, SIDE**2 / 4)
    cells: Cells
    mirrored: bool
    least: float  # similarity of near-duplicates

    def near_duplicates(self, queries: Positions) -> tuple[Positions, Positions, Floats]:
        """Pairs of `queries`, pictures of one cell, with others: first, second, similarity."""
        others = self.hashes ^ MIRROR if self.mirrored else self.hashes
        near = candidates(self.hashes, others, self.cells, queries)
        alike = [self._closer(*self._alike(*batch)) for batch in _joined(near)]
        first, second = np.sort(np.concatenate(alike, axis=1), axis=0)
        blocks = [slice(i, i + PAIRS) for i in range(0, max(len(first), 1), PAIRS)]
        scores = [similarity(self._seen(first[b]), self._seen(second[b], True)) for b in blocks]
        enough = (score := np.concatenate(scores)) >= self.least
        return first[enough], second[enough], score[enough]

    def _alike(self, one: Positions, two: Positions) -> NDArray[np.intp]:
        """Those of the pairs, int (2, N), that look alike: a similarity above `least`, perhaps."""
        order = np.argsort(one, kind="stable")
        one, two = one[order], two[order]
        best = np.empty(len(one), np.float32)
        for different, places in _by_first(one, PAIRS):
            moved = looks(self._seen(different, True), REACH)
            for moves, place in zip(moved, places, strict=True):
                still = self.looks[two[place]].astype(np.float32)
                best[place] = (still @ moves.T).max(axis=1)
        enough = best >= (self.least - MARGIN) * STEPS
        return np.stack([one[enough], two[enough]])

    def _closer(self, one: Positions, two: Positions) -> NDArray[np.intp]:
        """Those of the pairs, sorted, whose similarity is above `least`, but for rounding.

        It is computed for all pairs of one picture at once, by products of matrices.
        """
        windows, size = _windows()
        best = np.empty(len(one), np.float32)
        for different, places in _by_first(one, FEW):
            moved, sums, norms = _moved(_detail(self._seen(different, True)))
            part = slice(places[0].start, places[-1].stop)
            still = _detail(self._seen(two[part])).reshape(-1, SIDE**2)
            totals = still @ windows.T
            others = still**2 @ windows.T - totals**2 / size
            row = np.repeat(np.arange(len(different)), [p.stop - p.start for p in places])
            products = np.concatenate([
                still[p.start - part.start : p.stop - part.start] @ moves.T
                for moves, p in zip(moved, places, strict=True)
            ])  # fmt: skip
            products -= totals * sums[row] / size
            norm = np.sqrt(np.maximum(others * norms[row], np.finfo(np.float32).tiny))
            best[part] = (products / norm).max(axis=1)
        enough = best >= self.least - ROUNDING
        return np.stack([one[enough], two[enough]])

    def _seen(self, pictures: Positions, turned: bool = False) -> Thumbnails:
        """Their thumbnails; mirror images if that is what is sought and they are `turned`."""
        seen = self.thumbnails[pictures]
        return np.ascontiguousarray(seen[:, :, ::-1]) if turned and self.mirrored else seen


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
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:  # sums in one order
        hashes, still = _filled(pool, _described, thumbnails)
        parts: list[tuple[Positions, Positions, Floats]] = []
        for mirrored, cells in enumerate(_cells(thumbnails, pool)):
            enough = least + (1 - least) / 4 if mirrored else least
            pictures = _Pictures(thumbnails, hashes, still, cells, bool(mirrored), enough)
            tasks = list(cells.tasks())
            done = pool.map(pictures.near_duplicates, tasks)
            bar = f"near-duplicates, {'mirrored' if mirrored else 'upright'}"
            parts += tqdm(done, bar, len(tasks), unit=" parts", leave=False, disable=None)
    first, second, score = map(np.concatenate, zip(*parts, strict=True))
    pairs = pd.DataFrame({"first": first, "second": second, "score": score})
    best = pairs.groupby(["first", "second"], as_index=False).max()
    partners = {"path": paths[best["second"]], "partner": paths[best["first"]]}
    return pd.DataFrame(partners | {"score": best["score"].astype(float)})


def frequencies(thumbnails: Thumbnails) -> NDArray[np.float64]:
    """The lowest of the cosine transform (DCT-II, up to its scale), (N, 8, 8)."""
    places = np.arange(SIDE) + 0.5
    waves = np.cos(np.pi / SIDE * np.arange(8)[:, None] * places)
    lowest: NDArray[np.float64] = waves @ thumbnails.astype(float) @ waves.T
    return lowest


def perceptual_hashes(thumbnails: Thumbnails) -> Hashes:
    """64 bits a thumbnail, the highest always 0: uint64 (N,) of uint8 (N, SIDE, SIDE)."""
    bits = frequencies(thumbnails) > 1e-6  # not 0: rounding must not set a bit
    bits[:, 0, 0] = False  # mean grey
    return np.packbits(bits.reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


MIRROR = np.uint64(0x5555555555555555)
"""The bits of a hash that a mirror image flips: those of odd horizontal frequencies."""
TURNED = np.tile(np.array([1, -1], np.float32), 32)[1:]
"""The same as signs of the 63 frequencies."""


def candidates(hashes: Hashes, others: Hashes, cells: Cells, queries: Positions) -> Iterator[Pairs]:
    """Pairs (q, p) with hashes[q] within `RADIUS` of others[p], where q probes p's cell.

    Each pair comes once, in one order, when all pictures have been `queries`; those are pictures of
    one cell in their order.
    """
    home = cells.own[queries[:1]]
    alone = len(cells.members) == 1  # every picture probes it, so later ones are enough
    probed = cells.probed[queries]
    order = np.argsort(probed, axis=None, kind="stable")
    found, starts = np.unique(probed.ravel()[order], return_index=True)
    for cell, places in zip(found, np.split(order, starts[1:]), strict=False):
        probing, members = queries[places // probed.shape[1]], cells.members[cell]
        rows = max(1, BLOCK // max(len(members), 1))
        for i in range(0, len(probing), rows):
            block = probing[i : i + rows]
            start = np.searchsorted(members, block[0]) if alone else 0
            later = members[start:]
            distances = np.bitwise_count(hashes[block, None] ^ others[later])
            near = np.flatnonzero(distances <= RADIUS)  # three times as fast as nonzero in 2-D
            row, column = np.divmod(near, max(len(later), 1))
            one, two = block[row], later[column]
            back = (cells.probed[two] == home).any(axis=1)  # they probe the queries, too
            once = (two > one) | (two < one) & ~back
            yield one[once], two[once]


def _by_first(one: Positions, at_once: int) -> Iterator[tuple[Positions, list[slice]]]:
    """Different pictures of a sorted list, some at a time, and where each stands in it."""
    different, starts = np.unique(one, return_index=True)
    places = list(map(slice, starts, np.append(starts[1:], len(one))))
    for i in range(0, len(different), at_once):
        yield different[i : i + at_once], places[i : i + at_once]


def _joined(parts: Iterable[Pairs]) -> Iterator[NDArray[np.intp]]:
    """The same pairs, int (2, N), at least `BATCH` at a time."""
    held: list[Pairs] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part[0])
        if count >= BATCH:
            yield np.concatenate(held, axis=1)
            held, count = [], 0
    yield np.concatenate([np.zeros((2, 0), np.intp), *held], axis=1)


def _described(thumbnails: Thumbnails) -> tuple[Hashes, NDArray[np.int8]]:
    """Hashes, and looks in `STEPS`."""
    steps = np.clip(np.rint(looks(thumbnails, 0)[:, 0] * STEPS), -127, 127)
    return perceptual_hashes(thumbnails), steps.astype(np.int8)


def _filled(
    pool: Executor, function: Callable[[Thumbnails], Sequence[NDArray[Any]]], thumbnails: Thumbnails
) -> list[NDArray[Any]]:
    """What a function makes of thumbnails, as arrays of N rows; no part has a second copy."""
    starts = range(0, max(len(thumbnails), 1), PAIRS)
    filled: list[NDArray[Any]] = []
    blocks = (thumbnails[start : start + PAIRS] for start in starts)
    for start, parts in zip(starts, pool.map(function, blocks), strict=True):
        if not filled:
            filled = [np.empty((len(thumbnails), *part.shape[1:]), part.dtype) for part in parts]
        for whole, part in zip(filled, parts, strict=True):
            whole[start : start + len(part)] = part
    return filled


def _cells(thumbnails: Thumbnails, pool: Executor) -> tuple[Cells, Cells]:
    """Where the partners of pictures are sought, and those of their mirror images."""
    if len(thumbnails) <= ALL:
        same = np.zeros(len(thumbnails), np.uint16)
        everywhere = Cells(same, same[:, None])
        return everywhere, everywhere
    from scipy.cluster.vq import kmeans2  # takes a third of the memory of scikit-learn's

    def described(part: Thumbnails) -> Floats:
        return frequencies(part).reshape(-1, 64)[:, 1:].astype(np.float32)

    (sample,) = _filled(pool, lambda part: [described(part)], thumbnails[:: CELL // SAMPLED])
    scale = np.sqrt((sample**2).mean(axis=0)) + np.float32(1e-6)  # low frequencies are stronger
    sample = _unit(sample / scale)
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # a cell of none is as good
        centres, _ = kmeans2(sample, sample[::SAMPLED], iter=ROUNDS, minit="matrix")
    half = (centres**2).sum(axis=1) / 2

    def nearest(part: Thumbnails) -> list[NDArray[np.uint16]]:
        """Of each picture: its cell, and the nearest cells of it and of its mirror image."""
        one = _unit(described(part) / scale)
        upright, mirrored = one @ centres.T - half, (one * TURNED) @ centres.T - half
        probed = [np.argpartition(-each, PROBED)[:, :PROBED] for each in (upright, mirrored)]
        return [each.astype(np.uint16) for each in (upright.argmax(axis=1), *probed)]

    own, upright, mirrored = _filled(pool, nearest, thumbnails)
    return Cells(own, upright), Cells(own, mirrored)


def looks(thumbnails: Thumbnails, reach: int) -> Floats:
    """Band-passed thumbnails at half their resolution, float32 (N, moves, SIDE**2 / 4), norm 1.

    The moves are those by up to `reach` pixels of the thumbnail, in both directions.
    """
    detail = np.pad(_detail(thumbnails), ((0, 0), (reach, reach), (reach, reach)), "edge")
    sums = detail[:, :-1] + detail[:, 1:]
    sums = sums[:, :, :-1] + sums[:, :, 1:]  # of 2x2 pixels, (N, SIDE + 2 reach - 1, the same)
    starts = [slice(move, move + SIDE, 2) for move in range(2 * reach + 1)]
    moved = [sums[:, down, right] for down, right in product(starts, repeat=2)]
    return _unit(np.stack(moved, axis=1).reshape(len(thumbnails), len(moved), SIDE**2 // 4))


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


def _moved(detail: Floats) -> tuple[Floats, Floats, Floats]:
    """Details (N, SIDE, SIDE) moved over another's, (N, moves, SIDE**2), 0 beyond the edge.

    And the sums of each over what both cover, and the sums of squared deviations, (N, moves).
    """
    wide = np.pad(detail, ((0, 0), (REACH, REACH), (REACH, REACH)))
    places = product(range(2 * REACH + 1), repeat=2)
    parts = [wide[:, down : down + SIDE, right : right + SIDE] for down, right in places]
    moved = np.stack(parts, axis=1).reshape(len(detail), -1, SIDE**2)
    sums = moved.sum(axis=2)
    return moved, sums, (moved**2).sum(axis=2) - sums**2 / _windows()[1]


@cache
def _windows() -> tuple[Floats, Floats]:
    """Where a moved picture covers another, 1 or 0 (moves, SIDE**2), and how many pixels."""
    inside = [np.arange(SIDE) + move for move in range(-REACH, REACH + 1)]
    rows = np.array([(places >= 0) & (places < SIDE) for places in inside], np.float32)
    windows = (rows[:, None, :, None] * rows[None, :, None, :]).reshape(-1, SIDE**2)
    return windows, windows.sum(axis=1)


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


def _unit(vectors: Floats) -> Floats:
    """The same vectors, along the last axis, with norm 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
