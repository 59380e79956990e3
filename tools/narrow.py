"""Make a narrower network from a trained one: the channels with the largest weights stay.

    python -m tools.narrow NETWORK.keras MODEL --out NARROW.keras

Reads   a trained network; MODEL names the same network with fewer channels in some layers
        (a value of `train.model`: `lean` is a narrower `best`).
Writes  NARROW.keras: weights only; equal networks give equal bytes.  Prints its sha256, for
        `train.initial.sha256`.  It is a start for training, not a finished network.

Structured pruning (Li et al. 2017, "Pruning Filters for Efficient ConvNets", arXiv:1608.08710): a
channel is removed with its filter, its normalisation and its weights in the next layers.  The scale
of a filter before a normalisation has no effect, so a channel is ranked by its weights in the next
layers.  Layers that are added to each other share their channels.  Dropout may differ between the
two networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.command import parser
from facial_expression.core.errors import ModelError, run
from facial_expression.core.files import sha256_of
from tools.arguments import new_file

if TYPE_CHECKING:
    import keras

Kept = dict[str, NDArray[np.intp]]


def narrow(source: keras.Model, target: keras.Model) -> None:
    """Fill `target` with the weights of `source` for the channels that stay, in their order.

    Raises:
        ModelError: the two are not one network at two widths, or `target` is the wider one.
    """
    wide, thin = _without_dropout(source), _without_dropout(target)
    pairs = list(zip(wide, thin, strict=False))
    if len(wide) != len(thin) or not all(_narrower(mine, theirs) for theirs, mine in pairs):
        raise ModelError(
            f"{target.name}: expected '{source.name}' with fewer channels in some layers, found "
            "another network, more channels, or one that flattens its maps, where places and "
            "channels mix; name a narrower one that pools them"
        )
    streams = _streams(source)
    kept = _kept(pairs, streams)
    for theirs, mine in pairs:
        _fill(mine, theirs, kept, streams)


def _without_dropout(model: keras.Model) -> list[keras.Layer]:
    """The layers without dropout, which has no weights and may be missing in one network."""
    from keras import layers

    return [layer for layer in model.layers if not isinstance(layer, layers.Dropout)]


def _streams(model: keras.Model) -> dict[str, str]:
    """For each layer the layer that made its channels; layers added to each other count as one."""
    from keras import layers

    streams: dict[str, str] = {}
    for layer in model.layers:
        before = [streams[name] for name in _before(layer)]
        streams[layer.name] = layer.name
        if before and not isinstance(layer, layers.Conv2D | layers.Dense):
            same = {*before, layer.name}
            streams = {name: before[0] if s in same else s for name, s in streams.items()}
    return streams


def _before(layer: keras.Layer) -> list[str]:
    """Names of the layers whose output this layer takes; none for the input."""
    import keras

    if isinstance(layer, keras.layers.InputLayer):
        return []
    return [each._keras_history.operation.name for each in keras.tree.flatten(layer.input)]


def _kept(pairs: Sequence[tuple[keras.Layer, keras.Layer]], streams: dict[str, str]) -> Kept:
    """The channels of each stream that stay: those with the largest weights in the next layers.

    `pairs` has each layer of the wide network and of the narrow one, whose channels say how many.
    """
    weights: dict[str, NDArray[Any]] = {}
    for layer, _ in pairs:
        if hasattr(layer, "kernel"):
            made_by = streams[_before(layer)[0]]
            squares = np.square(layer.get_weights()[0]).sum(axis=-1)
            squares = squares.sum(axis=tuple(range(squares.ndim - 1)))
            weights[made_by] = weights.get(made_by, 0) + squares
    kept = {}
    for layer, narrower in pairs:
        channels, stay = layer.output.shape[-1], narrower.output.shape[-1]
        weight = weights.get(streams[layer.name], np.ones(channels))
        kept[streams[layer.name]] = np.sort(np.argsort(-weight, kind="stable")[:stay])
    return kept


def _fill(mine: keras.Layer, theirs: keras.Layer, kept: Kept, streams: dict[str, str]) -> None:
    values = theirs.get_weights()
    if hasattr(theirs, "kernel"):
        values[0] = values[0][..., kept[streams[_before(theirs)[0]]], :]
    mine.set_weights([value[..., kept[streams[theirs.name]]] for value in values])


def _narrower(mine: keras.Layer, theirs: keras.Layer) -> bool:
    """Whether a layer is `theirs` for maps of the same size with at most as many channels."""
    from keras import layers

    if type(mine) is not type(theirs) or isinstance(mine, layers.Flatten):
        return False
    if mine.output.shape[1:-1] != theirs.output.shape[1:-1]:  # other strides
        return False
    ours, wider = ([tuple(v.shape) for v in layer.weights] for layer in (mine, theirs))
    return len(ours) == len(wider) and all(
        len(a) == len(b) and a[:-2] == b[:-2] and np.less_equal(a, b).all()
        for a, b in zip(ours, wider, strict=True)
    )


def make(path: Path, name: str, out: Path) -> keras.Model:
    """Write the network `name` with the weights of the wider one at `path`; Keras is configured.

    Raises:
        ModelError: see `narrow`; or the file is no Keras model, or there is no network `name`.
    """
    from facial_expression.network import keras_file
    from facial_expression.train import models

    source, side = keras_file.load_classifier(path)
    target = models.build(name, side, source.output_shape[1])
    narrow(source, target)
    keras_file.save(target, out)
    return target


def main(argv: Sequence[str] | None = None) -> None:
    """Read, narrow, write, print the sha256."""
    arguments = parser("tools.narrow", __doc__)
    arguments.add_argument("network", type=Path, metavar="NETWORK.keras")
    arguments.add_argument("model", metavar="MODEL", help="name of the narrower network")
    arguments.add_argument("--out", type=new_file, required=True, metavar="NARROW.keras")
    args = arguments.parse_args(argv)
    from facial_expression.network.backend import configure

    configure("tensorflow", 1)
    model = make(args.network, args.model, args.out)
    print(
        f"wrote {args.out}: {model.count_params():,} parameters, to be trained on\n"
        f"sha256 {sha256_of(args.out)}"
    )


if __name__ == "__main__":
    run(main)
