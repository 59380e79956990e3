"""Readers of rivals' files, on tiny networks with the inputs and outputs of theirs."""

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from benchmarks.rivals import RIVALS, SEVEN, Reader
from facial_expression.core.errors import ModelError
from tests.helpers import one_line

CLASSES = list(SEVEN)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)


def tiny(path: Path, channels: int, side: int, classes: int, batch: int | str = "batch") -> Path:
    """A network whose output k is the mean of channel k modulo `channels`, times k."""
    mixing = np.zeros((channels, classes), np.float32)
    for column in range(classes):
        mixing[column % channels, column] = column
    pictures = helper.make_tensor_value_info(
        "pictures", TensorProto.FLOAT, [batch, channels, side, side]
    )
    outputs = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [batch, classes])
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "mixing"], ["outputs"]),
    ]
    constants = [numpy_helper.from_array(mixing, "mixing")]
    graph = helper.make_graph(nodes, "tiny", [pictures], [outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("name", "side", "order", "batch"),
    [
        ("rmn", 224, RIVALS["rmn"].orders[0], "batch"),
        ("emotiefflib", 224, RIVALS["emotiefflib"].orders[1], "batch"),
        ("emotiefflib", 260, RIVALS["emotiefflib"].orders[0], "batch"),
        ("opencv", 112, RIVALS["opencv"].orders[0], 1),
    ],
)
def test_pictures_are_prepared_and_classes_ordered_as_the_package_does(
    tmp_path, name, side, order, batch
):
    reader = Reader(name, tiny(tmp_path / "tiny.onnx", 3, side, len(order), batch), 1)
    assert reader.classes == order
    assert reader.most == (1 if batch == 1 else None)
    flat = np.full((1, 48, 48), 51, np.uint8)  # 0.2
    prepared = reader.prepare(flat)
    assert (prepared.shape, prepared.dtype) == ((1, 3, side, side), np.float32)
    mean, deviation = (np.broadcast_to(each, 3) for each in RIVALS[name].scaling)
    levels = (0.2 - mean) / deviation
    np.testing.assert_allclose(prepared[0, :, 0, 0], levels, rtol=1e-5)
    logits = [number * levels[number % 3] for number in range(len(order))]
    shares = dict(zip(order, np.exp(logits), strict=True))
    known = np.array([shares[label] for label in CLASSES])
    found = reader.probabilities(reader.predict(prepared), CLASSES)
    np.testing.assert_allclose(found, known[None] / known.sum(), atol=1e-4)


def published(units: int = 1024) -> keras.Model:
    """deepface's network with any weights."""
    keras.utils.set_random_seed(0)
    relu = {"activation": "relu"}
    return keras.Sequential([
        keras.Input((48, 48, 1)),
        layers.Conv2D(64, 5, **relu), layers.MaxPooling2D(5, 2),
        layers.Conv2D(64, 3, **relu), layers.Conv2D(64, 3, **relu), layers.AveragePooling2D(3, 2),
        layers.Conv2D(128, 3, **relu), layers.Conv2D(128, 3, **relu), layers.AveragePooling2D(3, 2),
        layers.Flatten(), layers.Dense(1024, **relu), layers.Dropout(0.2),
        layers.Dense(units, **relu), layers.Dropout(0.2), layers.Dense(7, activation="softmax"),
    ])  # fmt: skip


@pytest.mark.slow
def test_deepface_s_weights_are_read_into_its_network(tmp_path):
    model = published()
    model.save(tmp_path / "weights.h5")
    reader = Reader("deepface", tmp_path / "weights.h5", 1)
    prepared = reader.prepare(IMAGES)
    np.testing.assert_allclose(prepared[..., 0], IMAGES / np.float32(255), atol=1e-6)
    said = model.predict(prepared, verbose=0)[
        :, [RIVALS["deepface"].orders[0].index(c) for c in CLASSES]
    ]
    found = reader.probabilities(reader.predict(prepared), CLASSES)
    np.testing.assert_allclose(found, said, atol=1e-5)
    published(512).save(tmp_path / "other.h5")
    with pytest.raises(ModelError, match=one_line("other.h5: expected facial_expression_model")):
        Reader("deepface", tmp_path / "other.h5", 1)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("rmn", (3, 48, 7)), ("rmn", (1, 224, 7)), ("rmn", (3, 224, 8)), ("opencv", (3, 224, 7))],
)
def test_a_file_of_another_shape_is_one_line(tmp_path, name, shape):
    path = tiny(tmp_path / "other.onnx", *shape)
    channels, side, _ = shape
    found = one_line(
        "other.onnx: expected ", f"found one from ['batch', {channels}, {side}, {side}]"
    )
    with pytest.raises(ModelError, match=found):
        Reader(name, path, 1)
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match=one_line("other.onnx: expected ")):
        Reader(name, path, 1)
