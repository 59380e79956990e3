"""A network as an ONNX file, for users who have neither Keras nor TensorFlow."""

import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import onnx
from keras import layers
from numpy.typing import NDArray

from facial_expression.core.files import write_bytes
from facial_expression.export.fusing import fold

PICTURES, PROBABILITIES, ACTIVATION = "pictures", "probabilities", "class_activation"
AXES = {
    PICTURES: ("batch", "row", "column", "channel"),
    PROBABILITIES: ("batch", "class"),
    ACTIVATION: ("batch", "map_row", "map_column", "class"),
}
BATCH = 64
OPSET = 17
IR_VERSION = 10  # read by onnxruntime 1.18 and later


def serving_network(model: keras.Model, temperature: float) -> keras.Model:
    """The same network with calibrated probabilities and, if it has one, a class activation map.

    The map exists if the head is one dense layer after global average pooling.  It is that layer
    without its bias, applied to each place instead of to the mean over the places (Zhou et al.
    2016, "Learning Deep Features for Discriminative Localization", arXiv:1512.04150).

    `model`, of uint8 (N, side, side, 1), ends in a layer of logits and their softmax; the logits
    are divided by `temperature`, above 0.  The outputs are "probabilities" (N, classes) and, if
    there is a map, "class_activation" (N, rows, columns, classes), float32.
    """
    calibrated = layers.Rescaling(1 / temperature, name="temperature")(model.layers[-1].input)
    outputs = {PROBABILITIES: layers.Softmax(name=PROBABILITIES)(calibrated)}
    if pooled := _pooled(model):
        head, features = pooled
        evidence = layers.Conv2D(head.units, 1, use_bias=False, name=ACTIVATION)
        outputs[ACTIVATION] = evidence(features)
        evidence.kernel.assign(head.kernel[None, None])
    return keras.Model(model.input, outputs, name=model.name)


def write_onnx(model: keras.Model, path: Path, facts: Mapping[str, str]) -> None:
    """Write a network of `serving_network` as an ONNX file; equal networks give equal bytes.

    The network is float32 throughout, Keras runs on TensorFlow, and `facts` become metadata.
    """
    model(np.zeros((1, *model.input_shape[1:]), np.uint8))  # Keras exports only what was called
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks whether NumPy still has its old names
        written = Path(folder) / "model.onnx"
        model.export(written, format="onnx", opset_version=OPSET, verbose=False)
        proto = onnx.load(written)
    fold(proto.graph)
    _canonical(proto.graph)
    proto.graph.name, proto.graph.doc_string = model.name, ""  # it names the temporary folder
    proto.ir_version = IR_VERSION
    onnx.helper.set_model_props(proto, dict(sorted(facts.items())))
    onnx.checker.check_model(proto, full_check=True)
    write_bytes(path, proto.SerializeToString(deterministic=True))


def run_onnx(path: Path, images: NDArray[np.uint8], threads: int) -> NDArray[np.float32]:
    """Probabilities (N, classes) of an exported network for uint8 pictures (N, side, side)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only; they are raised as well
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    batches = np.split(images[..., None], range(BATCH, len(images), BATCH))
    parts = [session.run([PROBABILITIES], {PICTURES: batch})[0] for batch in batches]
    return np.concatenate(parts)


def _pooled(model: keras.Model) -> tuple[layers.Dense, keras.KerasTensor] | None:
    """The dense layer of logits and the feature map whose mean is its input, if there are such."""
    head = _maker(model.layers[-1].input)
    if not isinstance(head, layers.Dense) or head.activation is not keras.activations.linear:
        return None
    before = _maker(head.input)
    while isinstance(before, layers.Dropout):
        before = _maker(before.input)
    return (head, before.input) if isinstance(before, layers.GlobalAveragePooling2D) else None


def _maker(tensor: keras.KerasTensor) -> keras.Operation:
    return tensor._keras_history.operation


def _canonical(graph: onnx.GraphProto) -> None:
    """Give nodes and constants names that do not depend on what the process converted before."""
    ends = [*graph.input, *graph.output]
    names = {each.name: each.name for each in ends}
    constants = {each.name: each for each in graph.initializer}
    seen: Counter[str] = Counter()
    for node in graph.node:
        kind = node.op_type.lower()
        seen[kind] += 1
        node.name = f"{kind}_{seen[kind]}"
        for place, name in enumerate(node.input):
            if name in constants:
                names.setdefault(name, f"{node.name}.{place}")
        for place, name in enumerate(node.output):
            names.setdefault(name, node.name if place == 0 else f"{node.name}:{place}")
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    del graph.initializer[:], graph.value_info[:]
    for old in filter(constants.get, names):  # in the order in which they are read
        constants[old].name = names[old]
        graph.initializer.append(constants[old])
    for value in ends:
        for axis, size in zip(AXES[value.name], value.type.tensor_type.shape.dim, strict=True):
            if not size.dim_value:
                size.dim_param = axis
    graph.output.sort(key=lambda value: list(AXES).index(value.name))
