"""Folding changes what is computed, not what comes out."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from facial_expression.export.fusing import fold


def network(scale: list[float], offset: float = 0, tap=False) -> onnx.ModelProto:
    """Rescaled pictures -> convolution -> pooling -> scale, shift, rectifier, as tf2onnx has it.

    With `tap` the pooled values are a result of their own.
    """
    random = np.random.default_rng(1)
    constants = {
        "factor": np.float32(1 / 255),
        "offset": np.float32(offset),
        "shape": np.array([-1, 1, 8, 8]),
        "kernel": random.normal(size=(3, 1, 3, 3)).astype(np.float32),
        "bias": random.normal(size=3).astype(np.float32),
        "scale": np.array(scale, np.float32).reshape(1, -1, 1, 1),
        "shift": random.normal(size=(1, 3, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["moved"]),
        helper.make_node("Reshape", ["moved", "shape"], ["planes"]),
        helper.make_node("Conv", ["planes", "kernel", "bias"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["maps"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Mul", ["pooled", "scale"], ["wide"]),
        helper.make_node("Add", ["wide", "shift"], ["normalised"]),
        helper.make_node("Relu", ["normalised"], ["features"]),
    ]
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["batch", 8, 8, 1])
    maps = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, None, None])
        for name in (["features", "pooled"] if tap else ["features"])
    ]
    weights = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, "net", [pictures], maps, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def kinds(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def outputs(proto: onnx.ModelProto) -> list[np.ndarray]:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), np.uint8)
    return ReferenceEvaluator(proto).run(None, {"pictures": pictures})


def folded(proto: onnx.ModelProto) -> onnx.ModelProto:
    other = onnx.ModelProto()
    other.CopyFrom(proto)
    fold(other.graph)
    onnx.checker.check_model(other, full_check=True)
    for before, after in zip(outputs(proto), outputs(other), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)
    return other


def test_rescaling_and_normalisation_go_into_the_convolution():
    after = folded(network([0.5, 2, 0.1]))
    assert kinds(after) == ["Cast", "Reshape", "Conv", "Relu", "MaxPool"]


@pytest.mark.parametrize(
    ("scale", "tap"), [([0.5, -2, 0.1], False), ([1, 0, 1], False), ([0.5, 2, 0.1], True)]
)
def test_a_scale_stays_where_it_is_not_above_0_and_where_its_input_is_read_elsewhere(scale, tap):
    """The largest of negated values is not the negated largest."""
    assert kinds(folded(network(scale, tap=tap)))[3:] == ["MaxPool", "Mul", "Add", "Relu"]


def test_pixels_to_which_something_is_added_stay_as_they_are():
    """At the border the convolution sees zeros, to which nothing was added."""
    assert kinds(folded(network([1, 1, 1], offset=-0.5)))[:3] == ["Cast", "Mul", "Add"]
