"""Make an ONNX network faster: the same function up to rounding, with less to compute.

Two operations that a converter leaves between convolutions are folded into them: the rescaling of
the pictures, and a normalisation behind a max-pooling.  Libraries fold a normalisation directly
behind a convolution themselves, and fuse a convolution with the rectifier behind it.
"""

from collections import defaultdict
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Nodes = list[onnx.NodeProto]
Constants = dict[str, NDArray[Any]]


def fold(graph: onnx.GraphProto) -> None:
    """Fold what can be folded, in place; constants that nothing reads any more stay."""
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for chain in _chains(graph, ("Cast", "Mul", "Add", "Reshape", "Conv")):
        _fold_rescaling(graph, chain, constants)
    for chain in _chains(graph, ("Conv", "MaxPool", "Mul", "Add", "Relu")):
        _fold_normalisation(graph, chain, constants)
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in constants.items()
    )


def _fold_rescaling(graph: onnx.GraphProto, chain: Nodes, constants: Constants) -> None:
    """Multiply the first kernel by the factor of all pixels, if nothing is added to them."""
    cast, scale, shift, reshape, convolution = chain
    factor, offset, kernel = (constants.get(n.input[1]) for n in (scale, shift, convolution))
    if factor is None or offset is None or kernel is None or factor.size != 1 or offset.any():
        return
    _give(convolution, "kernel", kernel * factor.reshape(()), constants)
    reshape.input[0] = cast.output[0]
    graph.node.remove(scale)
    graph.node.remove(shift)


def _fold_normalisation(graph: onnx.GraphProto, chain: Nodes, constants: Constants) -> None:
    """Fold scale and shift into the convolution, and move the rectifier in front of the pooling.

    A scale above 0, a shift and a rectifier never change which value is the largest, so they may
    come before the max-pooling.  Nothing is changed if a channel's scale is not above 0.
    """
    convolution, pooling, multiply, add, rectifier = chain
    scale, shift, kernel = (constants.get(n.input[1]) for n in (multiply, add, convolution))
    if scale is None or shift is None or kernel is None or not (scale > 0).all():
        return
    bias = constants[convolution.input[2]] if len(convolution.input) > 2 else 0.0
    _give(convolution, "kernel", kernel * scale.reshape(-1, 1, 1, 1), constants)
    shifted = np.broadcast_to(bias * scale.ravel() + shift.ravel(), len(kernel))
    _give(convolution, "bias", shifted, constants)
    rectified = f"{convolution.output[0]}_rectified"
    pooled = helper.make_node("MaxPool", [rectified], rectifier.output)
    pooled.attribute.extend(pooling.attribute)
    pooling.CopyFrom(helper.make_node("Relu", convolution.output, [rectified]))
    rectifier.CopyFrom(pooled)
    graph.node.remove(multiply)
    graph.node.remove(add)


def _give(node: onnx.NodeProto, what: str, value: NDArray[Any], constants: Constants) -> None:
    """Replace the kernel or the bias of a convolution, or add it, by a constant of its own."""
    name, place = f"{node.output[0]}_{what}", 1 + (what == "bias")
    constants[name] = value.astype(np.float32)
    node.input[place : place + 1] = [name]


def _chains(graph: onnx.GraphProto, kinds: tuple[str, ...]) -> list[Nodes]:
    """Sequences of nodes of these kinds, each the only reader of the output of the one before."""
    readers: dict[str, Nodes] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    results = {each.name for each in graph.output}
    chains = []
    for node in graph.node:
        chain = [node]
        while len(chain) < len(kinds) and chain[-1].output[0] not in results:
            behind = readers[chain[-1].output[0]]
            if len(behind) != 1:
                break
            chain += behind
        if tuple(each.op_type for each in chain) == kinds:
            chains.append(chain)
    return chains
