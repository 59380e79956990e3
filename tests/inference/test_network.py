import threading
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from facial_expression.core.errors import ModelError
from facial_expression.inference import network
from tests.helpers import one_line
from tests.networks import tiny_network


def facts(model, **changed):
    for entry in model.metadata_props:
        entry.value = changed.get(entry.key, entry.value)


def weights(model, value):
    (bias,) = [each for each in model.graph.initializer if each.name == "bias"]
    bias.CopyFrom(numpy_helper.from_array(np.full(3, value, np.float32), "bias"))


def endless(model):
    """As long as the picture is finite, a loop goes round before the softmax."""
    kind, info = onnx.TensorProto, helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes"], ["on"]), helper.make_node("Abs", ["x"], ["y"])],
        "body",
        [info("i", kind.INT64, []), info("goes", kind.BOOL, []), info("x", kind.FLOAT, None)],
        [info("on", kind.BOOL, []), info("y", kind.FLOAT, None)],
    )
    model.graph.node[-1].input[0] = "late"
    model.graph.node.insert(
        len(model.graph.node) - 1, helper.make_node("Loop", ["", "", "logits"], ["late"], body=body)
    )


def huge(model, side, products=0):
    """A square of constants, which loading could compute, is multiplied by itself, and added."""
    graph, ones = model.graph, helper.make_tensor("one", onnx.TensorProto.FLOAT, [1], [1])
    graph.initializer.append(numpy_helper.from_array(np.array([side, side]), "sides"))
    steps = [helper.make_node("ConstantOfShape", ["sides"], ["s0"], value=ones)]
    steps += [helper.make_node("MatMul", [f"s{i}", "s0"], [f"s{i + 1}"]) for i in range(products)]
    steps += [helper.make_node("ReduceMax", [f"s{products}"], ["most"], keepdims=0)]
    steps += [helper.make_node("Add", ["logits", "most"], ["late"])]
    softmax = graph.node.pop()
    softmax.input[0] = "late"
    graph.node.extend([*steps, softmax])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (partial(facts, classes="[" * 9000), "export the run again"),
        (partial(facts, classes="3"), "export the run again"),
        (partial(facts, classes='["a", "b"]'), "for 2 classes"),
        (partial(facts, crop='{"scale": 0, "drop": 0.1}'), "impossible"),
        (partial(facts, crop='{"scale": 1.3, "drop": 1e9}'), "impossible"),
        (partial(facts, crop='{"scale": "x", "drop": 0.1}'), "TypeError"),
        (partial(facts, crop='{"scale": NaN, "drop": 0}'), "impossible"),
        (lambda model: weights(model, np.nan), "NaN or infinity"),
        (endless, "terminate"),
        (partial(huge, side=2000, products=200), "terminate"),
        (partial(huge, side=100_000), "memory"),
    ],
)
def test_a_strange_network_is_one_line(tmp_path, monkeypatch, change, found):
    path = tiny_network(tmp_path / "m.onnx")
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    monkeypatch.setattr(network, "LONGEST", 0.5)
    with pytest.raises(ModelError, match=one_line("m.onnx", found)):
        network.Network(path)
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers)  # none keeps the process from ending
