import io
from itertools import product

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from facial_expression.index import audit
from facial_expression.index import near_duplicates as module
from facial_expression.index.near_duplicates import (
    RADIUS,
    SIDE,
    Cells,
    candidates,
    search,
    similarity,
)
from facial_expression.index.table import scan
from facial_expression.pictures.images import decode, square
from facial_expression.sample.faces import contraction, identity
from facial_expression.sample.portraits import looks, portrait
from stages import fetch
from tests.clones import ROOT

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
    for name, size in {"BLOCK": 70, "BATCH": 11, "PAIRS": 3, "TASK": 7}.items():
        monkeypatch.setattr(module, name, size)
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


NUMBERS = st.lists(st.integers(0, 2**63 - 1), max_size=80)


@given(NUMBERS, st.booleans(), st.integers(1, 300), st.integers(1, 9), st.randoms())
def test_candidates_are_those_of_a_naive_loop(values, mirrored, block, task, random):
    values += [value ^ 0b1011 << place for place, value in enumerate(values[:20])]
    values += [value ^ int(module.MIRROR) for value in values[:5]]
    own = [random.randrange(3) for _ in values]
    probed = [random.sample(range(4), 2) for _ in values]
    flip = int(module.MIRROR) if mirrored else 0
    naive = {
        (i, j)
        for j in range(len(values))
        for i in range(j)
        if (values[i] ^ values[j] ^ flip).bit_count() <= RADIUS
        and (own[j] in probed[i] or own[i] in probed[j])
    }
    hashes = np.array(values, np.uint64)
    cells = Cells(np.array(own, np.uint16), np.array(probed, np.uint16).reshape(-1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(module, "TASK", task)
        parts = [
            np.sort(part, axis=0).T.tolist()
            for queries in cells.tasks()
            for part in candidates(hashes, hashes ^ np.uint64(flip), cells, queries)
        ]
    pairs = [tuple(pair) for part in parts for pair in part]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == naive


def planted(number: int) -> Grey:
    """Thumbnails of smooth noise; the second half shows the first with other light and noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (number // 2, 9, 9), dtype=np.uint8)
    drawn = (Image.fromarray(grey).resize((SIDE, SIDE)) for grey in coarse)
    first = np.stack([np.asarray(grey) for grey in drawn])
    light = rng.uniform(0.7, 1, (len(first), 1, 1)) * first + rng.normal(0, 5, first.shape)
    mirrored = rng.random(len(first)) < 0.3
    light[mirrored] = light[mirrored, :, ::-1]
    return np.concatenate([first, light.clip(0, 255).astype(np.uint8)])


def naive_search(thumbnails: Grey, least: float) -> dict[tuple[int, int], float]:
    """Every pair of hashes, and the similarity of those that are near."""
    hashes = module.perceptual_hashes(thumbnails)
    pairs: dict[tuple[int, int], float] = {}
    for turned, enough in ((False, least), (True, least + (1 - least) / 4)):
        others = hashes ^ module.MIRROR if turned else hashes
        near = np.bitwise_count(hashes[:, None] ^ others) <= RADIUS
        one, two = np.nonzero(np.triu(near, 1))
        seen = thumbnails[two][:, :, ::-1] if turned else thumbnails[two]
        scores = similarity(thumbnails[one], np.ascontiguousarray(seen))
        for i, j, score in zip(one, two, scores, strict=True):
            if score >= enough:
                pairs[i, j] = max(score, pairs.get((i, j), 0))
    return pairs


@pytest.mark.parametrize("least", [0.6, 0.8, 0.95])
def test_all_pairs_of_a_small_set_are_found(least):
    thumbnails = np.concatenate([planted(600), [thumbnail(face(seed)) for seed in range(60)]])
    expected = naive_search(thumbnails, least)
    assert len(expected) > 100
    table = found(thumbnails, least)
    pairs = list(zip(table["partner"], table["path"], strict=True))
    assert pairs == sorted(expected)
    assert table["score"].tolist() == [expected[pair] for pair in pairs]


def test_a_large_set_is_searched_in_cells(monkeypatch):
    thumbnails = planted(3_000)
    expected = found(thumbnails, 0.8)
    assert len(expected) >= 1_490
    monkeypatch.setattr(module, "ALL", 1_000)
    for name in ("CELL", "SAMPLED"):
        monkeypatch.setattr(module, name, 64)
    cells = found(thumbnails, 0.8)
    both = cells.merge(expected)
    assert len(both) == len(cells)  # nothing else
    assert len(both) >= 0.99 * len(expected)
    pd.testing.assert_frame_equal(found(thumbnails, 0.8, threads=2), cells)


@pytest.mark.slow
@pytest.mark.fer2013
def test_a_million_pictures_would_have_cells_that_keep_fer2013s_pairs(
    fer2013_zip, tmp_path, monkeypatch
):
    """With the cells of a million pictures; docs/protocol.md states the recall."""
    conf = yaml.safe_load((ROOT / "conf/data/fer2013.yaml").read_text(encoding="utf-8"))
    conf["fetch"]["source"] = str(fer2013_zip)
    params, images = tmp_path / "fer2013.yaml", tmp_path / "images.zip"
    params.write_text(yaml.safe_dump(conf), encoding="utf-8")
    fetch.main(["--params", str(params), "--out", str(tmp_path)])
    table, thumbnails = scan(images, workers=2, searched=True)
    images.unlink()  # 59 MiB that pytest would keep
    table["duplicate_of"] = audit.duplicate_of(table)
    thumbnails = thumbnails[audit.comparable(table).index]
    expected = found(thumbnails, 0.8, threads=2)
    assert len(expected) == pytest.approx(4_305, abs=20)  # rounding of pixels
    monkeypatch.setattr(module, "ALL", 1_000)
    monkeypatch.setattr(module, "CELL", len(thumbnails) // (1_000_000 // module.CELL))
    cells = found(thumbnails, 0.8, threads=2)
    assert len(cells.merge(expected)) == len(cells) >= 0.995 * len(expected)


def test_a_family_of_copies_is_found_whole():
    rng = np.random.default_rng(0)
    copies = face(0) * 0.9 + rng.normal(0, 2, (300, 48, 48))
    copies = copies.clip(0, 255).astype(np.uint8).reshape(-1, 24, 2, 24, 2).mean(axis=(2, 4))
    assert len(found(copies.astype(np.uint8), 0.9)) == 300 * 299 // 2


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
