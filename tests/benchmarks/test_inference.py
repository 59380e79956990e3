from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import inference
from benchmarks.inference import Form, accuracy, ours, rates, table
from facial_expression.core.arrays import Split
from facial_expression.core.errors import ModelError
from tests.networks import expected, tiny_network

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 9, 9), np.uint8)
CLASSES = ("happy", "sad", "surprise")


def brightness(order=(0, 1), most=None) -> Form:
    """Says the second of two classes where a picture is bright."""

    def predict(pictures):
        assert most is None or len(pictures) <= most
        bright = pictures.mean(axis=(1, 2)) > 0.5
        return np.stack([~bright, bright], axis=1).astype(np.float32)

    return Form("brightness", predict, lambda images: images / 255, order, most)


def split(labels) -> Split:
    images = np.where(np.array(labels)[:, None, None] == 1, 200, 50).astype(np.uint8)
    images = np.broadcast_to(images, (len(labels), 9, 9))
    paths = [str(i) for i in range(len(labels))]
    return Split(images, np.array(labels), paths, np.ones(len(labels), bool))


@pytest.mark.parametrize("most", [None, 1, 7])
def test_every_picture_counts_whatever_a_form_takes_at_once(most):
    labels = [0, 1] * 150
    assert accuracy(brightness(most=most), split(labels)) == 1
    assert accuracy(brightness(order=(1, 0), most=most), split(labels)) == 0
    assert accuracy(brightness(most=most), split([1] * 299 + [0])) == 1


def test_a_form_is_timed_only_with_as_many_as_it_takes(monkeypatch):
    monkeypatch.setattr(inference, "CALLS", 1e-6)
    forms = [brightness(), Form("one", lambda x: x, lambda x: x, (0,), most=1)]
    found = rates(forms, IMAGES, 8, rounds=3)
    assert list(found) == ["brightness"]
    assert len(found["brightness"]) == 3
    assert set(rates(forms, IMAGES, 1, rounds=2)) == {"brightness", "one"}


def test_the_rate_is_pictures_over_the_median_call(monkeypatch):
    clock = iter(np.cumsum([0, 0.1] * 20).tolist())
    monkeypatch.setattr(inference.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(inference, "CALLS", 0.25)
    assert rates([brightness()], IMAGES, 50, rounds=1)["brightness"] == [pytest.approx(500)]


def test_the_table_leaves_out_what_was_not_measured():
    forms = [brightness(), Form("one", lambda x: x, lambda x: x, (0,), most=1)]
    scores = {"brightness": {"val": 0.5}, "one": {"val": 0.25}}
    speeds = {1: {"brightness": [900.0, 1000.0, 1100.0], "one": [500.0]}, 8: {"brightness": [2e3]}}
    _, _, first, second = table(forms, scores, speeds).splitlines()
    assert first == (
        "| brightness | 50.00 % | 1,000 (900 to 1,100) | 2,000 (2,000 to 2,000) | 1.00 |"
    )
    assert second == "| one | 25.00 % | 500 (500 to 500) |  | 2.00 |"


def test_an_exported_network_is_a_form(tmp_path: Path):
    path = tiny_network(tmp_path / "tiny.onnx", CLASSES, side=9)
    form = ours(path, 1, CLASSES)
    np.testing.assert_allclose(form.predict(form.prepare(IMAGES)), expected(IMAGES), atol=1e-5)
    with pytest.raises(ModelError, match="expected the classes"):
        ours(path, 1, ("other", "sad", "surprise"))
