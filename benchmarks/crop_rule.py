"""How a data set frames its faces, and which crop rule suits a network trained on it.

    python -m benchmarks.crop_rule data/arrays data/export/model.onnx

Each picture is enlarged, laid on a canvas that goes on as its edge does, and given to the face
detector.  Printed are the crop rules that would give back exactly the picture that was framed, as
quantiles (scale and drop as in `inference.boxes.CropRule`; drift: the same to the right); then
accuracy when every found face is cut out of its canvas by one rule, for a grid of rules around the
median (or `--about` another), beside accuracy on the same pictures untouched.  What a larger square
takes in is the continued edge, not what the photograph held, so the grid is harsher on large scales
than use is.

Such a rule is a choice, so it is made on `val` or `train`, never on `test`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.measuring import describe_machine
from facial_expression.core.arrays import read_split
from facial_expression.core.errors import DatasetError, run
from facial_expression.core.labels import read_classes
from facial_expression.inference.boxes import Box, CropRule, crop
from facial_expression.inference.detection import Detector
from facial_expression.inference.network import Network

FRAME, MARGIN = 240, 120  # pixels: the enlarged picture, and the canvas around it
QUANTILES = (5, 25, 50, 75, 95)
SCALES, DROPS = (-0.15, -0.075, 0, 0.075, 0.15), (-0.06, -0.03, 0, 0.03, 0.06)  # about the median


class Face(NamedTuple):
    """A picture, by its number, whose face was found."""

    number: int
    canvas: Image.Image
    box: Box


def canvas_of(picture: NDArray[np.uint8]) -> Image.Image:
    """A grey picture, enlarged to `FRAME` pixels, whose edge goes on for `MARGIN` more."""
    large = Image.fromarray(picture).resize((FRAME, FRAME), Image.Resampling.LANCZOS)
    return Image.fromarray(np.pad(np.asarray(large), MARGIN, mode="edge"))


def find_faces(pictures: NDArray[np.uint8], detector: Detector) -> Iterator[Face]:
    """The surest face of each picture (N, side, side) that shows one."""
    for index, picture in enumerate(tqdm(pictures, unit="picture", disable=None)):
        canvas = canvas_of(picture)
        boxes = detector.find(canvas.convert("RGB"))
        if boxes:
            yield Face(index, canvas, boxes[0])


def framing(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """What would cut out the frame itself: scale, drop and drift of each box, (N, 3)."""
    sides = np.array([(box.width * box.height) ** 0.5 for box in boxes])
    middle = MARGIN + FRAME / 2
    drop = [(middle - box.top - box.height / 2) / FRAME for box in boxes]
    drift = [(middle - box.left - box.width / 2) / FRAME for box in boxes]
    return np.column_stack([FRAME / sides, drop, drift])


def accuracies(
    faces: Sequence[Face],
    labels: NDArray[np.int64],
    network: Network,
    rules: Sequence[CropRule],
) -> list[float]:
    """Accuracy in [0, 1] on faces cut out by each rule; labels are those of the faces."""
    found = []
    for rule in tqdm(rules, unit="rule", disable=None):
        cut = np.stack([crop(face.canvas, face.box, rule, network.side) for face in faces])
        found.append(accuracy(network, cut, labels))
    return found


def accuracy(network: Network, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Share of right answers on uint8 (N, side, side)."""
    return float((network.predict(pictures).probabilities.argmax(axis=1) == labels).mean())


def main(argv: Sequence[str] | None = None) -> None:
    """Print quantiles and grid."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.crop_rule",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arrays", type=Path, help="folder of stage preprocess")
    parser.add_argument("network", type=Path, help="model.onnx of stage export")
    parser.add_argument("--split", choices=("val", "train"), default="val")
    parser.add_argument("--number", type=int, default=None, help="of pictures, drawn; else all")
    parser.add_argument(
        "--about", type=float, nargs=2, metavar=("SCALE", "DROP"), help="middle of the grid"
    )
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    names, split = read_classes(args.arrays / "classes.json"), read_split(args.arrays, args.split)
    network = Network(args.network, args.threads)
    order = [network.classes.index(name) for name in names]
    chosen = np.sort(np.random.default_rng(0).permutation(len(split))[: args.number])
    pictures, labels = split.images[chosen], np.array(order)[split.labels[chosen]]
    print(describe_machine(["onnxruntime", "opencv-python-headless", "pillow"]))
    faces = list(find_faces(pictures, Detector(threads=args.threads)))
    if not faces:
        raise DatasetError(f"{args.arrays}: expected pictures of faces, found none")
    known = labels[[face.number for face in faces]]
    frames = framing([face.box for face in faces])
    print(f"{args.split}: faces found in {len(faces):,} of {len(pictures):,} pictures")
    for name, column in zip(("scale", "drop", "drift"), frames.T, strict=True):
        values = np.percentile(column, QUANTILES)
        told = ", ".join(f"{q} %: {v:.3f}" for q, v in zip(QUANTILES, values, strict=True))
        print(f"  {name:5} {told}")
    untouched = accuracy(network, pictures[[face.number for face in faces]], known)
    print(f"untouched, where a face was found: {untouched:.1%} (all: ", end="")
    print(f"{accuracy(network, pictures, labels):.1%})")
    print_grid(faces, known, network, *(args.about or np.median(frames, axis=0)[:2]))


def print_grid(
    faces: Sequence[Face],
    labels: NDArray[np.int64],
    network: Network,
    scale: float,
    drop: float,
) -> None:
    """Accuracy for the rules about one, in percent, a line a scale."""
    rules = [CropRule(scale + s, drop + d) for s in SCALES for d in DROPS]
    found = np.reshape(accuracies(faces, labels, network, rules), (len(SCALES), len(DROPS)))
    print("scale \\ drop " + " ".join(f"{drop + d:6.3f}" for d in DROPS))
    for offset, row in zip(SCALES, found, strict=True):
        print(f"{scale + offset:12.3f} " + " ".join(f"{value:6.1%}" for value in row))


if __name__ == "__main__":
    run(main)
