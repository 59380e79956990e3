"""A tiny network as stage export writes one, for tests of what predicts with it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = ("angry", "happy", "sad")
CELLS = 3
FACTS = {"dataset": "drawn", "licence": "mit", "terms": "For tests alone.", "protocol": "clean"}
FACTS |= {"recipe": "tiny", "temperature": "1.0", "accuracy": "0.5", "model_sha256": "0" * 64}


def tiny_network(
    path: Path, classes: Sequence[str] = CLASSES, side: int = 48, activation: bool = True
) -> Path:
    """Write a network whose answer is a fixed function of the picture (see `expected`).

    One convolution sees nine squares of the picture, whose `side` is a multiple of 3; the mean over
    the squares, plus a bias, goes through a softmax.  `activation`: whether the class activation
    map is an output too.
    """
    kernel, bias = _weights(len(classes), side)
    constants = {"kernel": kernel[:, None], "bias": bias}
    step = side // CELLS
    nodes = [
        helper.make_node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["maps"], strides=[step, step]),
        helper.make_node("Transpose", ["maps"], ["class_activation"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", ["class_activation"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Add", ["means", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    shapes = {"probabilities": ["batch", len(classes)]}
    if activation:
        shapes["class_activation"] = ["batch", CELLS, CELLS, len(classes)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["batch", side, side, 1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in shapes],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    crop = {"scale": 1.2, "drop": 0.05}
    facts = {"classes": json.dumps(list(classes)), "crop": json.dumps(crop), **FACTS}
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def expected(images: NDArray[np.uint8], classes: Sequence[str] = CLASSES) -> NDArray[np.float64]:
    """The probabilities (N, classes) of pictures uint8 (N, side, side), by plain arithmetic."""
    side = images.shape[1]
    kernel, bias = _weights(len(classes), side)
    step = side // CELLS
    cells = images.reshape(-1, CELLS, step, CELLS, step).astype(np.float64)
    logits = np.einsum("nricj,kij->nk", cells, kernel) / CELLS**2 + bias
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _weights(classes: int, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    draws = np.random.default_rng(0)
    step = side // CELLS
    kernel = draws.normal(0, 4 / (255 * step), (classes, step, step))
    return kernel.astype(np.float32), draws.normal(0, 0.3, classes).astype(np.float32)
