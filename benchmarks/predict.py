"""`python -m tools.predict` as a person calls it: elapsed time and memory, process start included.

    python -m benchmarks.predict [--models released/expression.onnx ...]

1. 1,000 ready crops, 48x48 PNG.  Target: 3 s, 400 MB.
2. 60 photographs of 1280x720, JPEG, on each twice the portrait that Matplotlib ships, in sizes and
   places that a seed draws.  Target: 10 a second; how many of the 120 faces were found is said.

The files lie in a temporary folder and were read before, so that the disk is not what is measured.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import ROOT, describe_machine, spread, timed, verdict
from tools.arguments import RELEASED

CROPS, PHOTOGRAPHS, FACES = 1000, 60, 2
SIZE = (1280, 720)
SECONDS, RATE, BYTES = 3, 10, 400e6  # the targets


def write_crops(folder: Path) -> None:
    """1,000 grey 48x48 pictures of noise: what they show does not change what is computed."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, pixels in enumerate(random.integers(0, 256, (CROPS, 48, 48), np.uint8)):
        Image.fromarray(pixels).save(folder / f"{number:04}.png")


def portrait() -> Image.Image:
    """Grace Hopper, 512x600, as Matplotlib ships her; Matplotlib itself would take memory."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec
    assert spec.origin
    place = Path(spec.origin).parent / "mpl-data/sample_data/grace_hopper.jpg"
    with Image.open(place) as picture:
        return picture.convert("RGB")


def photograph(random: np.random.Generator, face: Image.Image) -> Image.Image:
    """A grey slope of SIZE with the portrait in its left half and, mirrored, in its right one."""
    slope = np.linspace(60, 200, SIZE[0], dtype=np.uint8)
    canvas = Image.fromarray(np.tile(slope, (SIZE[1], 1))).convert("RGB")
    for half in range(FACES):
        height = int(random.integers(300, SIZE[1]))
        width = height * face.width // face.height
        shown = face.resize((width, height))
        if half:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        left = half * SIZE[0] // 2 + int(random.integers(0, SIZE[0] // 2 - width + 1))
        top = int(random.integers(0, SIZE[1] - height + 1))
        canvas.paste(shown, (left, top))
    return canvas


def write_photographs(folder: Path) -> None:
    """60 photographs with two faces each, JPEG."""
    folder.mkdir()
    random, face = np.random.default_rng(0), portrait()
    for number in range(PHOTOGRAPHS):
        photograph(random, face).save(folder / f"{number:02}.jpg", quality=90)


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


def main(argv: Sequence[str] | None = None) -> None:
    """Compose, measure each network on both, print a line each."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", type=Path, nargs="+", default=[RELEASED], metavar="FILE.onnx")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs, after one more")
    args = parser.parse_args(argv)
    print(describe_machine(["onnxruntime", "numpy", "pillow"]), flush=True)
    with tempfile.TemporaryDirectory(prefix="predict-") as temporary:
        crops, photographs = Path(temporary) / "crops", Path(temporary) / "photographs"
        write_crops(crops)
        write_photographs(photographs)
        for model in args.models:
            seconds, peak, _ = measure(crops, model, args.repeats, "--no-detect")
            print(
                f"{model.stem}: {CROPS} crops in {spread(seconds)}: {SECONDS} s "
                f"{verdict(seconds, SECONDS)}; {peak / 1e6:.0f} MB: {verdict([peak], BYTES)}",
                flush=True,
            )
            seconds, peak, faces = measure(photographs, model, args.repeats)
            rates = [PHOTOGRAPHS / each for each in seconds]
            print(
                f"{model.stem}: {PHOTOGRAPHS} photographs in {spread(seconds)}, "
                f"{spread(rates, 'a second')}: {RATE} a second "
                f"{verdict(seconds, PHOTOGRAPHS / RATE)}; {peak / 1e6:.0f} MB; "
                f"{faces} of {FACES * PHOTOGRAPHS} faces",
                flush=True,
            )


if __name__ == "__main__":
    main()
