from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from facial_expression.index import table
from facial_expression.index.table import FACTS, describe, scan
from tests.helpers import make_archive, tiny_pictures


def test_facts_about_a_picture():
    pixels = np.array([[0, 10, 20], [30, 40, 50]], np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    found = dict(zip(FACTS, describe("train/sad/a.png", stream.getvalue()), strict=True))
    assert len(found.pop("sha256")) == 64
    del found["perceptual_hash"]
    std = np.sqrt(((pixels - 25.0) ** 2).mean())
    assert (found.pop("mean"), found.pop("std")) == pytest.approx((25, std))
    assert found == {
        **{"path": "train/sad/a.png", "class": "sad", "split": "train"},
        **{"width": 3, "height": 2, "mode": "L", "dropped_because": ""},
    }


def test_a_picture_that_cannot_be_decoded_says_why():
    found = dict(zip(FACTS, describe("train/sad/a.png", b"no picture"), strict=True))
    assert found["dropped_because"] == "undecodable: not a picture of a known format"
    assert found["sha256"] == ""


@pytest.mark.parametrize("workers", [1, 3])
def test_a_scan_keeps_the_order_whatever_the_number_of_workers(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(table, "CHUNK", 4)
    pictures = tiny_pictures()
    path = make_archive(tmp_path / "images.zip", pictures)
    found = list(scan(path, workers).itertuples(index=False, name=None))
    assert found == [describe(name, pictures[name]) for name in sorted(pictures)]
