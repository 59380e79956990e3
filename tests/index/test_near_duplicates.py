import io
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from facial_expression.index import near_duplicates as module
from facial_expression.index.near_duplicates import RADIUS, SIDE, candidates, search, similarity
from facial_expression.pictures.images import decode, square
from facial_expression.sample.faces import contraction, identity
from facial_expression.sample.portraits import looks, portrait

Grey = NDArray[np.uint8]


def face(seed: int, expression: str = "fear") -> Grey:
    rng = np.random.default_rng(seed)
    return portrait(identity(rng), contraction(expression, 1.0, rng), looks(rng), rng)


def scene(seed: int, side: int = 24) -> Grey:
    """Smooth noise: no two seeds are alike, unlike two faces."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def thumbnail(grey: Grey, quality: int | None = None) -> Grey:
    """What stage index makes of a picture, as a PNG file or a JPEG file of that quality."""
    stream = io.BytesIO()
    kind = {"format": "JPEG", "quality": quality} if quality else {"format": "PNG"}
    Image.fromarray(grey).save(stream, **kind)
    return square(decode(stream.getvalue()), SIDE)


def found(thumbnails: Grey, least: float, threads: int = 1) -> pd.DataFrame:
    """Near-duplicates by their positions."""
    return search(np.arange(len(thumbnails)), thumbnails, least, threads)


COPIES = {
    "coarse JPEG": lambda grey: thumbnail(grey, 25),
    "darker": lambda grey: thumbnail((grey * 0.6).astype(np.uint8)),
    "less contrast, brighter": lambda grey: thumbnail((grey * 0.5 + 100).astype(np.uint8)),
    "a pixel cut off on every side": lambda grey: thumbnail(grey[1:-1, 1:-1]),
    "moved down by a pixel": lambda grey: thumbnail(np.pad(grey, 1, "edge")[:-2, 1:-1]),
    "mirrored": lambda grey: thumbnail(np.ascontiguousarray(grey[:, ::-1])),
    "twice as large": lambda grey: thumbnail(np.kron(grey, np.ones((2, 2), np.uint8))),
    "a mark across it": lambda grey: thumbnail(marked(grey)),
}


def marked(grey: Grey) -> Grey:
    copy = grey.copy()
    copy[30:34, 4:44:3] = 255
    return copy


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_copy_is_found_whatever_was_done_to_it(how, seed):
    original = face(seed)
    pictures = [thumbnail(original), *map(scene, range(40)), COPIES[how](original)]
    ((path, partner, score),) = found(np.stack(pictures), 0.8).to_numpy()
    assert (path, partner) == (41, 0)
    assert 0.8 <= score <= 1 + 1e-5


def test_threads_and_blocks_do_not_change_the_result(monkeypatch):
    faces = np.stack([thumbnail(face(seed)) for seed in range(30)])
    expected = found(faces, 0.5)
    assert len(expected) > 10
    monkeypatch.setattr(module, "ROWS", 7)
    monkeypatch.setattr(module, "PAIRS", 3)
    again = found(faces, 0.5, threads=2)
    pd.testing.assert_frame_equal(again, expected, rtol=1e-6)


def test_no_picture_and_one_picture_make_no_pair():
    assert found(np.zeros((0, SIDE, SIDE), np.uint8), 0.8).empty
    assert found(scene(0)[None], 0.8).empty


def test_a_mirrored_pair_needs_more():
    original = face(3)
    pair = np.stack([thumbnail(original), COPIES["mirrored"](original)])
    ((*_, score),) = found(pair, 0.5).to_numpy()
    edge = 1 - (1 - score) * 4 / 3  # the threshold at which the pair is just found
    assert len(found(pair, edge - 1e-4)) == 1
    assert found(pair, edge + 1e-4).empty


@given(st.lists(st.integers(0, 2**63 - 1), max_size=80), st.booleans(), st.integers(1, 7))
def test_candidates_are_those_of_a_naive_loop(values, mirrored, block):
    values += [value ^ 0b1011 << place for place, value in enumerate(values[:20])]
    values += [value ^ int(module.MIRROR) for value in values[:5]]
    flip = int(module.MIRROR) if mirrored else 0
    naive = {
        (i, j)
        for j in range(len(values))
        for i in range(j)
        if (values[i] ^ values[j] ^ flip).bit_count() <= RADIUS
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", block)
        with ThreadPoolExecutor(2) as pool:
            first, second = candidates(np.array(values, np.uint64), mirrored, pool)
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == naive


def naive_similarity(one: Grey, two: Grey) -> float:
    """The same by SciPy's filters and NumPy's correlation, one move after another."""
    one, two = (gaussian_filter(g, 0.75) - gaussian_filter(g, 2.0) for g in (one * 1.0, two * 1.0))
    best = -1.0
    for down, right in product((-1, 0, 1), repeat=2):
        moved = np.roll(one, (down, right), axis=(0, 1))
        rows, columns = (slice(max(move, 0), SIDE + min(move, 0)) for move in (down, right))
        inside = moved[rows, columns].ravel(), two[rows, columns].ravel()
        best = max(best, np.corrcoef(*inside)[0, 1])
    return best


@given(st.integers(0, 500), st.integers(0, 500))
def test_similarity_is_that_of_an_independent_implementation(one, two):
    likeness = similarity(scene(one)[None], scene(two)[None])
    assert likeness.shape == (1,)
    assert likeness[0] == pytest.approx(naive_similarity(scene(one), scene(two)), abs=1e-4)
