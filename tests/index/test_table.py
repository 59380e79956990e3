from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from facial_expression.index import table
from facial_expression.index.near_duplicates import SIDE, perceptual_hashes
from facial_expression.index.table import FACTS, describe, scan
from tests.helpers import make_archive, tiny_pictures


def test_facts_about_a_picture():
    pixels = np.array([[0, 10, 20], [30, 40, 50]], np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    facts, thumbnail = describe("train/sad/a.png", stream.getvalue())
    assert (thumbnail.shape, thumbnail.dtype) == ((SIDE, SIDE), np.uint8)
    found = dict(zip(FACTS, facts, strict=False))
    assert len(found.pop("sha256")) == 64
    std = np.sqrt(((pixels - 25.0) ** 2).mean())
    assert (found.pop("mean"), found.pop("std")) == pytest.approx((25, std))
    assert found == {
        **{"path": "train/sad/a.png", "class": "sad", "split": "train"},
        **{"width": 3, "height": 2, "mode": "L", "dropped_because": ""},
    }


def test_a_picture_that_cannot_be_decoded_says_why():
    found = dict(zip(FACTS, describe("train/sad/a.png", b"no picture")[0], strict=False))
    assert found["dropped_because"] == "undecodable: not a picture of a known format"
    assert found["sha256"] == ""


@pytest.mark.parametrize("workers", [1, 3])
def test_a_scan_keeps_the_order_whatever_the_number_of_workers(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(table, "CHUNK", 4)
    pictures = tiny_pictures()
    path = make_archive(tmp_path / "images.zip", pictures)
    found = scan(path, workers)
    facts, thumbnails = zip(
        *(describe(name, pictures[name]) for name in sorted(pictures)), strict=True
    )
    assert [row[:-1] for row in found.itertuples(index=False, name=None)] == list(facts)
    hashes = perceptual_hashes(np.stack(thumbnails))
    np.testing.assert_array_equal(found["perceptual_hash"], hashes)
