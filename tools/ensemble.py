"""One `.keras` file with the mean probabilities of several networks, for `train.teacher`.

    python -m tools.ensemble NETWORK.keras NETWORK.keras ... --out TEACHER.keras

Reads   networks for pictures of one side and the same classes, in the same order.
Writes  TEACHER.keras: weights only; equal networks in the same order give equal bytes.  Prints its
        sha256, for `train.teacher.sha256`.

The mean of the probabilities is the usual ensemble (Lakshminarayanan et al. 2017, "Simple and
Scalable Predictive Uncertainty Estimation using Deep Ensembles", arXiv:1612.01474); one network
that learns from it keeps part of its gain (Hinton et al. 2015, "Distilling the Knowledge in a
Neural Network", arXiv:1503.02531).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facial_expression.core.command import parser
from facial_expression.core.errors import ModelError, run
from facial_expression.core.files import sha256_of
from tools.arguments import new_file

if TYPE_CHECKING:
    import keras


def ensemble(members: Sequence[keras.Model], precision: str) -> keras.Model:
    """A network whose output is the mean of its members' outputs, float32 (N, classes).

    Members are renamed `member_1` and so on, and get the precision (a Keras policy); their last
    layers stay in float32.
    """
    import keras

    inputs = keras.Input(members[0].input_shape[1:], name="pictures")
    for number, member in enumerate(members, 1):
        member.name = f"member_{number}"
        for layer in member.layers[1:-1]:  # the first one is the input
            layer.dtype_policy = precision
    outputs = [member(inputs) for member in members]
    mean = keras.layers.Average(name="probabilities", dtype="float32")(outputs)
    return keras.Model(inputs, mean, name="ensemble")


def make(paths: Sequence[Path], precision: str, out: Path) -> None:
    """Write the ensemble of the networks at `paths`; Keras is configured already.

    Raises:
        ModelError: a file is no Keras model, is for other pictures or classes than the first, or
            does not end with a softmax.
    """
    import numpy as np

    from facial_expression.network.keras_file import check_probabilities, load_classifier, save
    from facial_expression.network.predict import predicted

    members = [load_classifier(path)[0] for path in paths]
    shapes = [(member.input_shape, member.output_shape) for member in members]
    for path, shape in zip(paths, shapes, strict=True):
        if shape != shapes[0]:
            raise ModelError(
                f"{path}: expected a network from {shapes[0][0]} to {shapes[0][1]} as {paths[0]}, "
                f"found one from {shape[0]} to {shape[1]}; name networks for the same pictures"
            )
    black = np.zeros((1, *members[0].input_shape[1:3]), np.uint8)
    for path, member in zip(paths, members, strict=True):
        check_probabilities(path, predicted(member, black).astype(np.float64))
    save(ensemble(members, precision), out)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, average, write, print the sha256."""
    arguments = parser("tools.ensemble", __doc__)
    arguments.add_argument("networks", type=Path, nargs="+", metavar="NETWORK.keras")
    arguments.add_argument("--out", type=new_file, required=True, metavar="TEACHER.keras")
    arguments.add_argument(
        "--precision",
        choices=("float32", "mixed_bfloat16"),
        default="float32",
        help="of the computation; a teacher predicts every training batch (default float32)",
    )
    args = arguments.parse_args(argv)
    from facial_expression.network.backend import configure

    configure("tensorflow", 1)
    make(args.networks, args.precision, args.out)
    print(f"wrote {args.out}: {len(args.networks)} networks\nsha256 {sha256_of(args.out)}")


if __name__ == "__main__":
    run(main)
