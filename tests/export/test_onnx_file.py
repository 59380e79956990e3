"""The ONNX form predicts what the Keras form predicts, and is the same file each time."""

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from scipy.special import softmax

from facial_expression.export.onnx_file import run_onnx, serving_network, write_onnx
from facial_expression.network.predict import logits_of
from facial_expression.train import models

IMAGES = np.random.default_rng(0).integers(0, 256, (70, 48, 48), np.uint8)  # over one batch
FACTS = {"terms": "Nobody but us.", "classes": '["a", "b", "c"]'}


def network(name: str) -> keras.Model:
    """Untrained, with batch statistics and biases that are not those of a new network."""
    keras.utils.set_random_seed(0)
    model = models.build(name, 48, 3)
    random = np.random.default_rng(0)
    for variable in model.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    model.get_layer("logits").bias.assign([0.3, -0.2, 0.1])
    return model


def export(model: keras.Model, path: Path) -> Path:
    write_onnx(serving_network(model, 1.7), path, FACTS)
    return path


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    model = network("compact")
    return model, export(model, tmp_path_factory.mktemp("compact") / "model.onnx")


def assert_same(model: keras.Model, path: Path) -> None:
    expected = softmax(np.log(np.asarray(model(IMAGES[..., None]))) / 1.7, axis=1)
    np.testing.assert_allclose(run_onnx(path, IMAGES, 1), expected, atol=1e-5)


def test_it_predicts_what_the_model_predicts_at_that_temperature(compact, tmp_path):
    assert_same(*compact)
    assert run_onnx(compact[1], IMAGES[:0], 1).shape == (0, 3), "a batch may be empty"
    model = network("small")
    path = export(model, tmp_path / "small.onnx")
    assert_same(model, path)
    assert [value.name for value in onnx.load(path).graph.output] == ["probabilities"]


def test_the_mean_of_the_activation_map_is_the_logit_less_its_bias(compact):
    import onnxruntime

    model, path = compact
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (maps,) = session.run(["class_activation"], {"pictures": IMAGES[..., None]})
    logits = np.asarray(logits_of(model)(IMAGES[..., None]))
    bias = model.get_layer("logits").bias
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias, logits, atol=1e-4)


def test_equal_networks_are_equal_bytes(compact, tmp_path):
    again = export(network("compact"), tmp_path / "again.onnx")
    assert again.read_bytes() == compact[1].read_bytes()


def test_names_and_metadata_are_for_people(compact):
    written = onnx.load(compact[1])
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
    assert not any(word in text for word in ("functional", "unk__", "Identity", "/tmp"))
