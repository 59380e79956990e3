"""Elapsed time and memory of `python -m tools.predict`, with the start of its process.

    python -m benchmarks.predict [--models released/expression.onnx ...]

1. 1,000 ready crops, 48x48 PNG.  Target: 3 s, 400 MB.
2. 60 photographs of 1280x720, JPEG, each with the portrait that Matplotlib ships twice, in seeded
   sizes and places.  Target: 10 a second; the number of faces found, of 120, is printed.
3. Memory: of ten times as many crops, and of four such photographs of 48 megapixels, with one
   thread and with two.
4. A process of its own that imports the package and answers once, for the portrait, beside the
   package `fer` with its defaults (Haar cascade, TFLite).  Target: 5 times sooner.

The files are in a temporary folder and have been read before, so that the disk is not measured.
"""

import csv
import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import rival_fer
from benchmarks.measuring import ROOT, apart, describe_machine, ranging, timed, verdict
from facial_expression.core.command import parser
from facial_expression.core.errors import SourceError, run
from facial_expression.inference.released import released

CROPS, PHOTOGRAPHS, FACES = 1000, 60, 2
SIZE = (1280, 720)
MANY, HUGE, HUGE_SIZE = 10 * CROPS, 4, (9216, 5184)
SECONDS, RATE, BYTES, SOONER = 3, 10, 400e6, 5  # the targets

OURS = """
import sys
from facial_expression import FaceReader
(face,) = FaceReader(sys.argv[1]).analyze(sys.argv[2])
print(face.label, face.expressions[face.label])
"""
FER = """
import sys
sys.path.insert(0, sys.argv[1])
import cv2
from fer.fer import FER
print(*FER().top_emotion(cv2.imread(sys.argv[2])))
"""


def write_crops(folder: Path, number: int) -> None:
    """Grey 48x48 pictures of noise: what they show does not change what is computed."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for index, pixels in enumerate(random.integers(0, 256, (number, 48, 48), np.uint8)):
        Image.fromarray(pixels).save(folder / f"{index:05}.png")


def portrait_file() -> Path:
    """Grace Hopper, 512x600, as Matplotlib ships her; Matplotlib itself would take memory."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "mpl-data/sample_data/grace_hopper.jpg"


def portrait() -> Image.Image:
    """The same, decoded."""
    with Image.open(portrait_file()) as picture:
        return picture.convert("RGB")


def photograph(
    random: np.random.Generator, face: Image.Image, size: tuple[int, int] = SIZE
) -> Image.Image:
    """A grey slope of `size` with the portrait in its left half and, mirrored, in its right one."""
    slope = np.linspace(60, 200, size[0], dtype=np.uint8)
    canvas = Image.fromarray(np.tile(slope, (size[1], 1))).convert("RGB")
    for half in range(FACES):
        height = int(random.integers(300, SIZE[1])) * size[1] // SIZE[1]
        width = height * face.width // face.height
        shown = face.resize((width, height))
        if half:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        left = half * size[0] // 2 + int(random.integers(0, size[0] // 2 - width + 1))
        top = int(random.integers(0, size[1] - height + 1))
        canvas.paste(shown, (left, top))
    return canvas


def write_photographs(folder: Path, number: int, size: tuple[int, int] = SIZE) -> None:
    """Photographs with two faces each, JPEG."""
    folder.mkdir()
    random, face = np.random.default_rng(0), portrait()
    for index in range(number):
        photograph(random, face, size).save(folder / f"{index:02}.jpg", quality=90)


def measure(folder: Path, model: Path, repeats: int, *options: str) -> tuple[list[float], int, int]:
    """Seconds of each run, the largest peak in bytes, and how many faces were written."""
    out = folder.with_suffix(".csv")
    command: list[str | Path] = [sys.executable, "-m", "tools.predict", folder, "--quiet"]
    command += ["--format", "csv", "--out", out, "--model", model.resolve(), *options]
    timed(command, ROOT)  # reads the files once
    runs = [timed(command, ROOT) for _ in range(repeats)]
    with out.open(encoding="utf-8", newline="") as stream:
        faces = sum(1 for _ in csv.DictReader(stream))
    return [run.seconds for run in runs], max(run.largest for run in runs), faces


def report_memory(folder: Path, model: Path) -> None:
    """Print the peak memory of many crops and of huge photographs, a run each."""
    many, huge = folder / "many", folder / "huge"
    write_crops(many, MANY)
    _, peak, _ = measure(many, model, 1, "--no-detect")
    print(f"{model.stem}: {MANY} crops: {peak / 1e6:.0f} MB: {verdict([peak], BYTES)}", flush=True)
    apart(write_photographs, huge, HUGE, HUGE_SIZE)  # a child's peak counts what we hold
    for threads in ("1", "2"):
        seconds, peak, faces = measure(huge, model, 1, "--threads", threads)
        print(
            f"{model.stem}: {HUGE} photographs of {HUGE_SIZE[0]}x{HUGE_SIZE[1]}, --threads "
            f"{threads}: {peak / 1e6:.0f} MB, {seconds[0]:.2f} s; {faces} of {FACES * HUGE} faces",
            flush=True,
        )


def report_first_answer(folder: Path, model: Path, repeats: int) -> None:
    """Print the time to the first answer of ours and of `fer`, in turn."""
    folder.mkdir()
    try:
        rival_fer.unpack(folder)
    except SourceError as error:
        print(f"first answer: left out: {error}")
        return
    python: list[str | Path] = [sys.executable, "-c"]
    ours, theirs = (
        [*python, script, place, portrait_file()]
        for script, place in ((OURS, model.resolve()), (FER, folder))
    )
    runs = [(timed(ours, ROOT).seconds, timed(theirs, ROOT).seconds) for _ in range(repeats + 1)]
    (mine, rival) = zip(*runs[1:], strict=True)
    ratios = [there / here for here, there in runs[1:]]
    print(
        f"{model.stem}: first answer after {ranging(mine, 2)} s, fer after {ranging(rival, 2)} s: "
        f"{ranging(ratios, 1)} times sooner: "
        f"{SOONER} {verdict([1 / each for each in ratios], 1 / SOONER)}",
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Compose, measure each network on both, print a line each; memory with the first network."""
    arguments = parser("benchmarks.predict", __doc__)
    arguments.add_argument("--models", type=Path, nargs="+", default=[], metavar="FILE.onnx")
    arguments.add_argument("--repeats", type=int, default=5, help="timed runs, after one more")
    args = arguments.parse_args(argv)
    models = args.models or [released()]
    print(describe_machine(["onnxruntime", "numpy", "pillow"]))
    print(f"medians and ranges of {args.repeats} runs", flush=True)
    with tempfile.TemporaryDirectory(prefix="predict-") as temporary:
        crops, photographs = Path(temporary) / "crops", Path(temporary) / "photographs"
        write_crops(crops, CROPS)
        write_photographs(photographs, PHOTOGRAPHS)
        for model in models:
            seconds, peak, _ = measure(crops, model, args.repeats, "--no-detect")
            print(
                f"{model.stem}: {CROPS} crops in {ranging(seconds, 2)} s: {SECONDS} s "
                f"{verdict(seconds, SECONDS)}; {peak / 1e6:.0f} MB: {verdict([peak], BYTES)}",
                flush=True,
            )
            seconds, peak, faces = measure(photographs, model, args.repeats)
            rates = [PHOTOGRAPHS / each for each in seconds]
            print(
                f"{model.stem}: {PHOTOGRAPHS} photographs in {ranging(seconds, 2)} s, "
                f"{ranging(rates, 2)} a second: {RATE} a second "
                f"{verdict(seconds, PHOTOGRAPHS / RATE)}; {peak / 1e6:.0f} MB; "
                f"{faces} of {FACES * PHOTOGRAPHS} faces",
                flush=True,
            )
        for model in models:
            report_first_answer(Path(temporary) / f"fer-{model.stem}", model, args.repeats)
        report_memory(Path(temporary), models[0])


if __name__ == "__main__":
    run(main)
