import numpy as np
import pytest

from benchmarks import inference
from benchmarks.inference import Form, accuracy, ours, rates
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


def test_an_exported_network_is_a_form(tmp_path):
    path = tiny_network(tmp_path / "tiny.onnx", CLASSES, side=9)
    form = ours(path, 1, CLASSES)
    np.testing.assert_allclose(form.predict(form.prepare(IMAGES)), expected(IMAGES), atol=1e-5)
    with pytest.raises(ModelError, match="expected the classes"):
        ours(path, 1, ("other", "sad", "surprise"))
