"""An int8 form of an exported network, kept only if it is faster on this machine.

    python -m tools.quantise MODEL.onnx ARRAYS --out FILE.onnx

Reads   MODEL.onnx of stage export, and ARRAYS of the run that made it: training pictures set the
        ranges of the activations, validation pictures measure what the rounding costs.
Writes  FILE.onnx, with the same input, outputs and metadata.  The entry `int8` of the metadata is
        the accuracy on validation before and after.  If it is not faster, no file is written.

Weights are rounded to eight bits per channel and activations to eight bits per tensor, between the
0.01 and 99.99 percentiles of their values for the training pictures (ONNX Runtime's static
quantization).  The probabilities change: the tool prints by how much.
"""

import contextlib
import io
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.arrays import Split, read_split
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import (
    ModelError,
    ParameterError,
    PipelineError,
    not_the_file,
    run,
)
from facial_expression.core.files import atomic
from facial_expression.core.labels import read_classes
from facial_expression.inference.network import INPUT, Network
from tools.arguments import new_file

CALIBRATION = 1024  # training pictures
PERCENTILE = 99.99  # with a few extreme activations the steps for all others would be coarse
ROUNDS = 5


class Pictures:
    """A data reader of ONNX Runtime's calibration: batches of pictures, all of one size."""

    def __init__(self, pictures: NDArray[Any], batch_size: int, name: str) -> None:
        size = min(batch_size, len(pictures))
        starts = range(0, len(pictures) - size + 1, size)  # a smaller last batch is an error there
        self._batches = iter([{name: pictures[start : start + size]} for start in starts])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next batch by the name of the network's input; None at the end."""
        return next(self._batches, None)


def setting_ranges(arrays: Path) -> NDArray[np.uint8]:
    """The training pictures that set the ranges of the activations, (N, side, side)."""
    images = read_split(arrays, "train").images
    chosen = np.random.default_rng(0).permutation(len(images))[:CALIBRATION]
    return images[np.sort(chosen)]


def quantise(source: Path, pictures: NDArray[Any], target: Path, name: str = INPUT) -> None:
    """Write the int8 form of a network in ONNX form, whose input has this name.

    The pictures, as it takes them, (N, side, side, 1), set the ranges of its activations.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            quantize_static(
                source,
                target,
                Pictures(pictures, 64, name),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.Percentile,
                extra_options={"CalibPercentile": PERCENTILE},
            )
    except Exception as error:  # no common base class
        if not_the_file(error):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModelError(f"{source}: cannot be rounded: {reason}; export the run again") from error
    finally:
        logging.disable(logging.NOTSET)


def compare(before: Network, after: Network, val: Split, batch_size: int) -> dict[str, Any]:
    """Accuracy of both on validation pictures, their agreement, and seconds in paired rounds."""
    images = np.asarray(val.images)
    seconds: dict[str, list[float]] = {"before": [], "after": []}
    predicted = {}
    for _ in range(1 + ROUNDS):  # the first one warms up
        for name, network in (("before", before), ("after", after)):
            start = time.perf_counter()
            output = network.predict(images, batch_size)
            seconds[name].append(time.perf_counter() - start)
            predicted[name] = output.probabilities.argmax(axis=1)
    pairs = zip(seconds["before"][1:], seconds["after"][1:], strict=True)
    return {
        "n": len(val),
        "accuracy": float((predicted["before"] == val.labels).mean()),
        "accuracy_int8": float((predicted["after"] == val.labels).mean()),
        "agreement": float((predicted["before"] == predicted["after"]).mean()),
        "speedup": median(before / after for before, after in pairs),
        "pictures_a_second": len(val) / median(seconds["before"][1:]),
        "pictures_a_second_int8": len(val) / median(seconds["after"][1:]),
    }


def make(source: Path, arrays: Path, target: Path, threads: int, batch_size: int) -> bool:
    """Write the int8 form of `source` if it is faster on this machine; return whether it is.

    Raises:
        ModelError: `source` is not an exported network, or has other classes than `arrays`.
    """
    import onnx

    before = Network(source, threads)
    names = read_classes(arrays / "classes.json")
    if list(before.classes) != names:
        raise ModelError(
            f"{source}: expected the classes of {arrays}, {', '.join(names)}, found "
            f"{', '.join(before.classes)}; name the arrays of the run that made it"
        )
    quantise(source, setting_ranges(arrays)[..., None], target)
    found = compare(before, Network(target, threads), read_split(arrays, "val"), batch_size)
    print(
        f"accuracy on val (n = {found['n']:,}): {100 * found['accuracy']:.2f} % -> "
        f"{100 * found['accuracy_int8']:.2f} %, same class for "
        f"{100 * found['agreement']:.1f} %\npictures a second ({threads} threads, batches "
        f"of {batch_size}): {found['pictures_a_second']:,.0f} -> "
        f"{found['pictures_a_second_int8']:,.0f}, {found['speedup']:.2f} times\n"
        f"bytes: {source.stat().st_size:,} -> {target.stat().st_size:,}"
    )
    if found["speedup"] <= 1:
        target.unlink()
        return False
    proto = onnx.load(target)
    cost = proto.metadata_props.add()  # without the gain in speed: it would change the bytes
    cost.key = "int8"
    cost.value = (
        f"accuracy on val {100 * found['accuracy_int8']:.2f} %, before rounding "
        f"{100 * found['accuracy']:.2f} %, n = {found['n']:,}"
    )
    target.write_bytes(proto.SerializeToString(deterministic=True))
    return True


def main(argv: Sequence[str] | None = None) -> None:
    """Quantise, measure, keep or refuse."""
    arguments = parser("tools.quantise", __doc__)
    add = arguments.add_argument
    add("model", type=Path, metavar="MODEL.onnx")
    add("arrays", type=Path, metavar="ARRAYS", help="folder of stage preprocess")
    add("--out", type=new_file, required=True, metavar="FILE.onnx")
    add("--threads", type=at_least(1, 1024), default=2)
    add("--batch-size", type=at_least(1), default=64)
    args = arguments.parse_args(argv)
    if args.out.exists() and args.model.exists() and args.out.samefile(args.model):
        raise ParameterError(f"--out {args.out}: expected another file than the network to be read")
    with atomic(args.out) as temporary:
        if not make(args.model, args.arrays, temporary, args.threads, args.batch_size):
            raise PipelineError(
                f"{args.out}: not written, since int8 is not faster on this machine; "
                f"use {args.model}"
            )
    print(f"wrote {args.out}")


if __name__ == "__main__":
    run(main)
