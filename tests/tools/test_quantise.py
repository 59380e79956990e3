from pathlib import Path

import numpy as np
import onnx
import pytest

from facial_expression.core.errors import ModelError, PipelineError
from facial_expression.core.files import write_json
from facial_expression.export.onnx_file import serving_network, write_onnx
from facial_expression.inference.network import Network
from facial_expression.train import models
from tests.helpers import make_split
from tools import quantise
from tools.predict.formats import notice
from tools.web.card import known


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """An untrained network in ONNX form."""
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    facts = {"classes": '["happy", "sad"]', "crop": '{"scale": 1.2, "drop": 0.1}', "terms": "ours"}
    write_onnx(serving_network(models.build("fast", 48, 2), 1.0), path, facts)
    return path


@pytest.fixture
def arrays(tmp_path) -> Path:
    random = np.random.default_rng(0)
    folder = tmp_path / "arrays"
    for split, count in (("train", 80), ("val", 70)):
        images = random.integers(0, 256, (count, 48, 48), np.uint8)
        make_split(folder, split, images, random.integers(0, 2, count))
    write_json(folder / "classes.json", ["happy", "sad"])
    return folder


def quick(before, after, val, batch_size):
    """What `compare` finds where int8 is twice as fast."""
    found = REAL(before, after, val, batch_size)
    return found | {"speedup": 2.0}


REAL = quantise.compare


def test_it_is_smaller_close_and_says_what_it_cost(model, arrays, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(quantise, "compare", quick)
    out = tmp_path / "int8.onnx"
    quantise.main([str(model), str(arrays), "--out", str(out)])
    assert out.stat().st_size < 0.4 * model.stat().st_size
    whole, rounded = Network(model), Network(out)
    assert (rounded.classes, rounded.side, rounded.crop) == (whole.classes, 48, whole.crop)
    assert rounded.facts["terms"] == "ours"
    images = np.random.default_rng(1).integers(0, 256, (20, 48, 48), np.uint8)
    near = np.abs(whole.predict(images).probabilities - rounded.predict(images).probabilities)
    assert 0 < near.max() < 0.1
    said = capsys.readouterr().out
    assert "n = 70" in said
    cost = rounded.facts["int8"]
    assert cost.split("accuracy on val ")[1].split(" %")[0] in said
    assert known(rounded.facts)["Rounded to int8"] == cost
    assert "int8" not in whole.facts
    assert "rounded to eight bits" in notice(rounded.facts)
    assert "rounded" not in notice(whole.facts)


def test_the_same_bytes_twice(model, arrays, tmp_path):
    images = np.load(arrays / "train/images-000.npy")
    for name in ("one", "two"):
        quantise.quantise(model, images[..., None], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    kinds = {node.op_type for node in onnx.load(tmp_path / "one").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


def test_what_is_not_faster_is_not_kept(model, arrays, tmp_path, monkeypatch):
    monkeypatch.setattr(quantise, "compare", lambda *args: quick(*args) | {"speedup": 0.9})
    with pytest.raises(PipelineError, match="not written, since int8 is not faster"):
        quantise.main([str(model), str(arrays), "--out", str(tmp_path / "int8.onnx")])
    assert not (tmp_path / "int8.onnx").exists()


def test_arrays_of_other_classes_are_refused(model, arrays, tmp_path):
    write_json(arrays / "classes.json", ["fear", "happy"])
    with pytest.raises(ModelError, match="fear, happy, found happy, sad"):
        quantise.main([str(model), str(arrays), "--out", str(tmp_path / "int8.onnx")])
