"""The ONNX form says what the Keras form says, and is the same file each time."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from scipy.special import softmax

import facial_expression.inference  # noqa: F401  turns onnxruntime's reports off
from facial_expression.export.onnx_file import serving_network, write_onnx
from facial_expression.train import models

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
POOLED = {"compact"}
FACTS = {"terms": "Nobody but us.", "classes": '["a", "b", "c"]'}


def network(name: str, seed: int = 0) -> keras.Model:
    """Untrained, with batch statistics that are not those of a new network."""
    keras.utils.set_random_seed(seed)
    model = models.build(name, 48, 3)
    random = np.random.default_rng(seed)
    for variable in model.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return model


def session(path: Path):
    import onnxruntime  # after the package that turns its reports off

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def onnx_of(model: keras.Model, path: Path, temperature: float = 1.7) -> dict[str, np.ndarray]:
    write_onnx(serving_network(model, temperature), path, FACTS)
    loaded = session(path)
    names = [output.name for output in loaded.get_outputs()]
    return dict(zip(names, loaded.run(names, {"pictures": IMAGES[..., None]}), strict=True))


@pytest.mark.parametrize("name", ["seed", "small", "compact"])
def test_it_says_what_the_model_says_at_that_temperature(name, tmp_path):
    model = network(name)
    found = onnx_of(model, tmp_path / "model.onnx")
    expected = softmax(np.log(np.asarray(model(IMAGES[..., None]))) / 1.7, axis=1)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert ("class_activation" in found) == (name in POOLED)


@pytest.mark.parametrize("name", ["compact", "best"])
def test_the_mean_of_the_activation_map_is_the_logit_less_its_bias(name, tmp_path):
    model = network(name)
    head = model.get_layer("logits")
    head.bias.assign([0.3, -0.2, 0.1])
    maps = onnx_of(model, tmp_path / "model.onnx")["class_activation"]
    logits = np.asarray(models.logits_of(model)(IMAGES[..., None]))
    assert maps.ndim == 4
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + head.bias, logits, atol=1e-4)


def test_equal_networks_are_equal_bytes_and_others_are_not(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        write_onnx(serving_network(network("fast", seed), 1.0), tmp_path / name, FACTS)
    one, two, other = ((tmp_path / name).read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_names_and_metadata_are_for_people(tmp_path):
    onnx_of(network("fast"), tmp_path / "model.onnx")
    written = onnx.load(tmp_path / "model.onnx")
    axes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in [*written.graph.input, *written.graph.output]
    }
    assert axes == {
        "pictures": ["batch", 48, 48, 1],
        "probabilities": ["batch", 3],
        "class_activation": ["batch", 3, 3, 3],
    }
    assert {each.key: each.value for each in written.metadata_props} == FACTS
    assert written.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    text = str(written.graph.node) + written.graph.doc_string + written.graph.name
    assert not any(word in text for word in ("functional", "unk__", "Identity", str(tmp_path)))


def test_any_number_of_pictures_goes_through(tmp_path):
    write_onnx(serving_network(network("fast"), 1.0), tmp_path / "model.onnx", FACTS)
    loaded = session(tmp_path / "model.onnx")
    for count in (0, 1, 7):
        pictures = np.resize(IMAGES, (count, 48, 48, 1))
        assert loaded.run(["probabilities"], {"pictures": pictures})[0].shape == (count, 3)
