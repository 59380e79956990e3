import numpy as np
import pytest

from benchmarks import inference
from benchmarks.inference import Form, named, ours, rates, scores, table
from facial_expression.core.arrays import Split
from facial_expression.core.errors import ModelError, ParameterError
from tests.networks import expected, tiny_network

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 9, 9), np.uint8)
CLASSES = ("happy", "sad", "surprise")


def brightness(order=(0, 1), most=None) -> Form:
    """Says the second of two classes where a picture is bright."""

    def predict(pictures):
        assert most is None or len(pictures) <= most
        bright = pictures.mean(axis=(1, 2)) > 0.5
        return np.stack([~bright, bright], axis=1).astype(np.float32)

    def read(output):
        return output[:, list(order)]

    return Form("brightness", predict, lambda images: images / 255, read, most)


def split(labels) -> Split:
    images = np.where(np.array(labels)[:, None, None] == 1, 200, 50).astype(np.uint8)
    images = np.broadcast_to(images, (len(labels), 9, 9))
    paths = [str(i) for i in range(len(labels))]
    return Split(images, np.array(labels), paths, np.ones(len(labels), bool))


@pytest.mark.parametrize("most", [None, 1, 7])
def test_every_picture_counts_whatever_a_form_takes_at_once(most):
    labels = [0, 1] * 150
    for order, right in (((0, 1), 1), ((1, 0), 0)):
        found = scores(brightness(order, most), split(labels))
        assert (found["accuracy"], found["n"], found["ece_equal_mass"]) == (right, 300, 1 - right)
    assert scores(brightness(most=most), split([1] * 299 + [0]))["accuracy"] == 1


def test_a_form_is_timed_only_with_as_many_as_it_takes(monkeypatch):
    monkeypatch.setattr(inference, "CALLS", 1e-6)
    forms = [brightness(), Form("one", lambda x: x, lambda x: x, lambda x: x, most=1)]
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


def test_the_table_has_intervals_calibration_and_speed():
    forms = [brightness(), brightness((1, 0))]
    found = {"brightness": {"val": scores(forms[0], split([0, 1, 1, 0]))}}
    text = table(forms[:1], found, {1: {"brightness": [10.0, 20.0, 30.0]}, 8: {}})
    header, _, row = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()
    )
    assert dict(zip(header, row, strict=True)) == {
        "network": "brightness",
        "val accuracy": "100.00 % (100.0 to 100.0)",
        "val calibration error": "0.000",
        "pictures/s, 1 at once": "20 (10 to 30)",
        "pictures/s, 8 at once": "",
        "ms for one": "50.00",
    }


def test_rivals_without_a_file_are_named_and_unknown_ones_refused(capsys):
    assert named([], 1, CLASSES) == []
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 4
    assert (
        "deepface: left out, no file named; --rival deepface=FILE: facial_expression_model_" in out
    )
    with pytest.raises(ParameterError, match=r"expected deepface, .*, found other"):
        named(["other=x.onnx"], 1, CLASSES)
    with pytest.raises(ModelError, match=r"none\.onnx: expected .* found no file"):
        named(["rmn=none.onnx"], 1, CLASSES)
