"""Make an ONNX network faster: the same function up to rounding, with less to compute.

Two operations that a converter leaves between convolutions are folded into them: the rescaling of
the pictures, and a normalisation behind a max-pooling.  Libraries fold a normalisation directly
behind a convolution themselves, and fuse a convolution with the rectifier behind it.  With a
pooling in between they do neither, and an int8 network must convert to floats and back.

A first convolution of stride two over one channel reads blocks of 2x2 pixels as four channels: the
same sums, four bytes at a time ("Use space-to-depth transformation where possible", Qualcomm AI
Engine Direct, HTP network design recommendations).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Nodes = list[onnx.NodeProto]
Constants = dict[str, NDArray[Any]]


def fold(graph: onnx.GraphProto) -> None:
    """Fold what can be folded, in place; remove nodes and constants that are no longer read."""
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for chain in list(_chains(graph, ("Cast", "Mul", "Add", "Reshape", "Conv"))):
        _fold_rescaling(chain, constants)
    for chain in list(_chains(graph, ("Conv", "MaxPool", "Mul", "Add", "Relu"))):
        _fold_normalisation(chain, constants)
    _tidy(graph)  # removes a folded rescaling, which still reads the pictures
    for chain in list(_chains(graph, ("Cast", "Reshape", "Conv"))):
        graph.node.extend(_read_blocks(chain, graph.input[0], constants))
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in constants.items()
    )
    _tidy(graph)


def _fold_rescaling(chain: Nodes, constants: Constants) -> None:
    """Multiply the first kernel by the factor of all pixels, if nothing is added to them."""
    cast, scale, shift, reshape, convolution = chain
    factor, offset, kernel = (constants.get(n.input[1]) for n in (scale, shift, convolution))
    if factor is None or offset is None or kernel is None or factor.size != 1 or offset.any():
        return
    _give(convolution, 1, "kernel", kernel * factor.reshape(()), constants)
    reshape.input[0] = cast.output[0]


def _fold_normalisation(chain: Nodes, constants: Constants) -> None:
    """Fold scale and shift into the convolution, and move the rectifier in front of the pooling.

    A scale above 0, a shift and a rectifier never change which value is the largest, so they may
    come before the max-pooling.  Nothing is changed if a channel's scale is not above 0.
    """
    convolution, pooling, multiply, add, rectifier = chain
    scale, shift, kernel = (constants.get(n.input[1]) for n in (multiply, add, convolution))
    if scale is None or shift is None or kernel is None or not (scale > 0).all():
        return
    bias = constants[convolution.input[2]] if len(convolution.input) > 2 else 0.0
    _give(convolution, 1, "kernel", kernel * scale.reshape(-1, 1, 1, 1), constants)
    shifted = np.broadcast_to(bias * scale.ravel() + shift.ravel(), len(kernel))
    _give(convolution, 2, "bias", shifted, constants)
    between, end = f"{convolution.output[0]}_rectified", rectifier.output[0]
    rectifier.input[:], rectifier.output[:] = [convolution.output[0]], [between]
    pooling.input[:], pooling.output[:] = [between], [end]


def _read_blocks(chain: Nodes, pictures: onnx.ValueInfoProto, constants: Constants) -> Nodes:
    """Let a strided convolution over pictures of one channel read blocks.

    Returns the node that makes the blocks, in a list.  The list is empty if the convolution has
    another stride, a dilation or automatic padding, or a side of the pictures is odd or unknown.
    """
    *_, reshape, convolution = chain
    _, rows, columns, channels = (each.dim_value for each in pictures.type.tensor_type.shape.dim)
    given = {each.name: helper.get_attribute_value(each) for each in convolution.attribute}
    kernel = constants.get(convolution.input[1])
    sides = rows > 0 and columns > 0 and rows % 2 == columns % 2 == 0
    plain = set(given.get("dilations", [1])) == {1} and "auto_pad" not in given
    strided = list(given.get("strides", [])) == [2, 2]
    if kernel is None or not (sides and plain and strided and channels == 1):
        return []
    top, left, bottom, right = given.get("pads", [0, 0, 0, 0])
    over, above, below = _blocks(kernel.shape[2], top, bottom, rows)
    across, before, behind = _blocks(kernel.shape[3], left, right, columns)
    blocks = np.zeros((len(kernel), 2, 2, over, across))
    for row, column in np.ndindex(kernel.shape[2:]):
        place, down = divmod(row - top + 2 * above, 2)
        position, aside = divmod(column - left + 2 * before, 2)
        blocks[:, down, aside, place, position] = kernel[:, 0, row, column]
    _give(convolution, 1, "kernel", blocks.reshape(len(kernel), 4, over, across), constants)
    name = convolution.input[0] = f"{reshape.output[0]}_blocks"
    pads = helper.make_attribute("pads", [above, before, below, behind])
    del convolution.attribute[:]
    convolution.attribute.append(pads)
    return [helper.make_node("SpaceToDepth", [reshape.output[0]], [name], blocksize=2)]


def _blocks(taps: int, before: int, behind: int, side: int) -> tuple[int, int, int]:
    """Along one axis: taps of the kernel in blocks of two, and blocks of padding on both sides."""
    size = (side + before + behind - taps) // 2 + 1
    first = (before + 1) // 2
    reach = (taps - 1 - before) // 2 + first + 1
    return reach, first, size - side // 2 - first + reach - 1


def _give(
    node: onnx.NodeProto, place: int, what: str, value: NDArray[Any], constants: Constants
) -> None:
    """Replace an input of a node, or add it, as a constant of its own."""
    name = f"{node.output[0]}_{what}"
    constants[name] = value.astype(np.float32)
    node.input[place : place + 1] = [name]


def _chains(graph: onnx.GraphProto, kinds: tuple[str, ...]) -> Iterator[Nodes]:
    """Sequences of nodes of these kinds, each the only reader of the output of the one before."""
    readers: dict[str, Nodes] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    results = {each.name for each in graph.output}
    for node in graph.node:
        chain = [node]
        while len(chain) < len(kinds) and chain[-1].output[0] not in results:
            behind = readers.get(chain[-1].output[0], [])
            if len(behind) != 1:
                break
            chain += behind
        if tuple(each.op_type for each in chain) == kinds:
            yield chain


def _tidy(graph: onnx.GraphProto) -> None:
    """Order nodes by their inputs, and remove those whose output is not read."""
    makers = {name: node for node in graph.node for name in node.output}
    ordered: dict[str, onnx.NodeProto] = {}

    def visit(name: str) -> None:
        node = makers.get(name)
        if node is not None and node.output[0] not in ordered:
            for each in node.input:
                visit(each)
            ordered[node.output[0]] = node

    for result in graph.output:
        visit(result.name)
    read = {name for node in ordered.values() for name in node.input}
    constants = [each for each in graph.initializer if each.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(ordered.values())
    graph.initializer.extend(constants)
