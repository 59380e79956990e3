"""How time and memory grow from ten thousand pictures to a million.

    python -m benchmarks.scale --sizes 10000 100000 1000000

Makes an archive of so many small JPEGs, runs fetch, index and preprocess as whole processes, as
`dvc repro` starts them, reads one epoch's training batches, without a network, and begins to train
`best`, with the whole validation: its memory is that of any longer training.  The pictures are
drawn faces under random affine maps, light and noise, varied so far that as many pairs of
hashes are near by chance as in FER2013; one in a hundred is there twice, darker and encoded again.
The rivals: what one would write without this package to decode the same archive, `zipfile` and
Pillow in a plain pool of processes; and a plain pool in the place of the stages' own.  With --dask,
one worker of a Dask cluster against two, on 100,000 pictures at most.  Ratios, and the batches, are
medians of three rounds.

Targets on two cores, at the largest size: 1.5 GB for all processes together; an exponent of .95 to
1.05 for index and preprocess together; 3 GB to train `best`; index without near-duplicates in 1.15
times Pillow's time; 20,000 augmented pictures a second from shards larger than the memory that the
process may take, 1 GiB; two Dask workers 1.7 times as fast as one; the local pool within 3 % of a
plain one.  Needs 8 KB of disk a picture.
"""

import io
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measuring import MEBI, ROOT, describe_machine, timed, watched
from benchmarks.prepare import commands
from facial_expression.core import processes
from facial_expression.core.command import parser, processors
from facial_expression.core.errors import run
from facial_expression.core.files import write_zip
from facial_expression.core.params import load, read_yaml
from facial_expression.core.tables import markdown, read_table
from facial_expression.pictures.squares import decode_all

SIZES = [10_000, 100_000, 1_000_000]
TIMES = 1.15  # the targets
EXPONENTS = 0.95, 1.05
GAIN, OVERHEAD = 1.7, 1.03
RATE, MEMORY = 20_000, 1 << 30  # of the training batches: pictures a second, bytes
FACES, BLOCK = 10, 1000  # persons, and pictures of them, that are drawn at a time
TWICE = 100  # one in so many pictures is there again
FIELD = 32.0  # of the light, in grey levels: near hashes are as frequent as in FER2013
AGAIN = "-again.jpg"
DATA, RECIPE = ROOT / "conf/data/fer2013.yaml", ROOT / "conf/recipe/best.yaml"
EPOCH, PILLOW = "one epoch's batches", "Pillow alone"
BEST = "20 steps of `best` and validation"
GIGABYTES = {"index": 1.5, "preprocess": 1.5, BEST: 3}
SPLITS = (*("train",) * 8, "val", "test")
ROUNDS = 3
PAPER = 10**8
CHUNK = 4096  # pictures that Pillow decodes in one task

HEADER = ("step", "s", "CPU s", "µs a picture", "MB written", "peak of all processes, MiB")

Grey = NDArray[np.uint8]
Costs = dict[str, tuple[float, int]]  # seconds and peak memory, bytes, of each step
Member = tuple[str, bytes]


def faces(start: int) -> Grey:
    """Drawn faces, uint8 (FACES, 48, 48), of the pictures from number `start` on."""
    from facial_expression.sample.faces import EXPRESSIONS, contraction, identity  # noqa: PLC0415
    from facial_expression.sample.portraits import looks, portrait  # noqa: PLC0415

    def drawn(number: int) -> Grey:
        rng = np.random.default_rng([0, start, number])
        muscles = contraction(classes()[number % len(EXPRESSIONS)], 1.0, rng)
        return portrait(identity(rng), muscles, looks(rng), rng)

    return np.stack([drawn(number) for number in range(FACES)])


def classes() -> list[str]:
    """The names of the classes."""
    from facial_expression.sample.faces import EXPRESSIONS  # noqa: PLC0415

    return sorted(EXPRESSIONS)


def varied(pictures: int, start: int) -> list[Member]:
    """Members `start` and the following of a set of so many pictures, up to BLOCK of them."""
    from facial_expression.network.resampling import about_centre, resample  # noqa: PLC0415

    rng = np.random.default_rng([1, start])
    count = min(BLOCK, pictures - start)
    chosen = rng.integers(0, FACES, count)
    turns, sizes, moves = (
        rng.uniform(low, high, shape)
        for low, high, shape in ((-15, 15, count), (0.85, 1.2, count), (-4, 4, (count, 2)))
    )
    maps = about_centre(48, rng.random(count) < 0.5, turns, sizes, moves)
    waves = np.cos(np.pi / 48 * np.arange(8)[:, None] * (np.arange(48) + 0.5)) / 8**0.5
    light = FIELD * waves.T @ rng.normal(size=(count, 8, 8)) @ waves
    gain = rng.uniform(0.6, 1.1, (count, 1, 1))
    grey = gain * resample(faces(start)[chosen], *maps) + light + rng.normal(0, 4, light.shape)
    images = grey.clip(0, 255).astype(np.uint8)
    members: list[Member] = []
    for number in range(start, start + count):
        again = number % TWICE == TWICE - 1  # the picture before it
        of = number - again
        place = f"{SPLITS[of // 7 % 10]}/{classes()[of % 7]}"
        image = (images[of - start] * (0.8 if again else 1)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=75 if again else 90)
        members.append((f"{place}/{of:08d}{AGAIN if again else '.jpg'}", stream.getvalue()))
    return members


def make(path: Path, pictures: int, workers: int) -> None:
    """Write the archive; which processes draw does not change it, and nothing waits in memory."""
    with processes.pool(workers) as pool:
        starts = range(0, pictures, BLOCK)
        blocks = pool.map(partial(varied, pictures), starts)
        write_zip(path, (member for block in blocks for member in block))


def steps(folder: Path, archive: Path, workers: int) -> dict[str, list[str | Path]]:
    """The command of each step, below `folder`."""
    todo = commands(folder, DATA, archive)
    document = read_yaml(folder / "pictures.yaml")
    document["index"]["near_duplicate"] = None
    alone = folder / "alone.yaml"
    alone.write_text(yaml.safe_dump(document), encoding="utf-8")
    raw, arrays = folder / "data/raw", folder / "data/arrays"
    index: list[str | Path] = [
        sys.executable,
        "-m",
        "stages.index",
        "--params",
        alone,
        "--raw",
        raw,
    ]
    here = "from pathlib import Path; from benchmarks.scale import epoch, pillow, train; "
    called = {  # in processes of their own
        EPOCH: f"epoch(Path({str(arrays)!r}))",
        BEST: f"train(Path({str(arrays)!r}), {workers})",
        PILLOW: f"pillow(Path({str(raw / 'images.zip')!r}), {workers})",
    }
    return {
        "fetch": todo["fetch"],
        "index": todo["index"],
        "index, no near-duplicates": [*index, "--out", folder / "data/alone"],
        "preprocess": todo["preprocess"],
        **{name: [sys.executable, "-c", here + call] for name, call in called.items()},
    }


def epoch(arrays: Path) -> None:
    """Make one epoch's batches of recipe `best`, in a process that may take `MEMORY`."""
    import resource  # noqa: PLC0415

    from facial_expression.core.arrays import read_split  # noqa: PLC0415
    from facial_expression.network.recipe import Recipe  # noqa: PLC0415
    from facial_expression.train.batches import batch_order, epoch_batches  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    recipe, split = load(RECIPE, "train", Recipe), read_split(arrays, "train", classes())
    order = batch_order(recipe, len(split), 1)
    for _ in epoch_batches(recipe, split, len(classes()), 1, order):
        pass


def train(arrays: Path, threads: int) -> None:
    """Begin to train recipe `best` in float32, the larger precision, and validate once."""
    from facial_expression.core.arrays import read_split  # noqa: PLC0415
    from facial_expression.network.backend import configure  # noqa: PLC0415
    from facial_expression.network.recipe import Recipe  # noqa: PLC0415

    configure("tensorflow", threads)
    from facial_expression.train.fit import Data, fit  # noqa: PLC0415

    recipe = load(RECIPE, "train", Recipe)
    averaging = replace(recipe.averaging, start=0)  # from the first step on
    recipe = replace(recipe, precision="float32", epochs=1, averaging=averaging)
    splits = [read_split(arrays, split, classes()) for split in ("train", "val")]
    data = Data(splits[0], splits[1], classes())
    fit(recipe, data, progress=lambda batches, _epoch, _steps: islice(batches, 20))


def pillow(images: Path, workers: int) -> None:
    """Decode every picture of an archive in a plain pool."""
    with zipfile.ZipFile(images) as archive:
        parts = chunks(archive.namelist())
    with ProcessPoolExecutor(workers, initializer=_open, initargs=(images,)) as pool:
        for _ in pool.map(decoded, parts):
            pass


OPEN: list[zipfile.ZipFile] = []  # of a process of that pool


def _open(images: Path) -> None:
    OPEN.append(zipfile.ZipFile(images))


def decoded(names: Sequence[str]) -> int:
    """Decode some members as Pillow's users do; how many there are."""
    pictures = (Image.open(io.BytesIO(OPEN[0].read(name))) for name in names)
    return sum(len(np.asarray(picture.convert("L"))) > 0 for picture in pictures)


def chunks(places: Sequence[Any]) -> list[Sequence[Any]]:
    """The tasks of a pool."""
    return [places[start : start + CHUNK] for start in range(0, len(places), CHUNK)]


def overhead(images: Path, workers: int) -> float:
    """How many times as long the stages' local pool takes as a plain one, median of some rounds."""
    from facial_expression.pictures.archive import members  # noqa: PLC0415

    work = partial(decode_all, images, side=48)
    tasks = chunks(list(members(images).items())[: SIZES[1]])

    def plain() -> None:
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(work, tasks))

    def ours() -> None:
        list(processes.spread(work, tasks, workers))

    def seconds(function: Callable[[], None]) -> float:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    return median(seconds(ours) / seconds(plain) for _ in range(ROUNDS))


def gain(images: Path) -> float:
    """How many times as fast two Dask workers decode as one does, median of some rounds."""
    from distributed import LocalCluster  # noqa: PLC0415

    from facial_expression.index.table import scan  # noqa: PLC0415

    def seconds(workers: int) -> float:
        size = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
        # the cluster sets variables of this process, which later steps would inherit
        with patch.dict(os.environ), LocalCluster(**size) as cluster:
            started = time.perf_counter()
            scan(images, 1, False, cluster.scheduler_address)
            return time.perf_counter() - started

    return median(seconds(1) / seconds(2) for _ in range(ROUNDS))


def twins(folder: Path, pictures: int) -> tuple[int, int]:
    """Pictures that are there twice, and those of them that the index found."""
    audit = read_table(folder / "data/index/audit.csv", {"path": str, "partner": str}, empty=True)
    pairs = {frozenset(pair) for pair in audit[["path", "partner"]].to_numpy().tolist()}
    again = [path for path in {*audit["path"], *audit["partner"]} if path.endswith(AGAIN)]
    found = sum(frozenset([path, f"{path.removesuffix(AGAIN)}.jpg"]) in pairs for path in again)
    return pictures // TWICE, found


def report(pictures: int, workers: int, dask: bool) -> Costs:
    """Measure one size, print its table, and return what the steps took."""
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        folder = Path(temporary)
        # where an archive needs no pin, because DVC would notice a change of it
        archive = folder / "data/source/pictures/pictures.zip"
        archive.parent.mkdir(parents=True)
        make(archive, pictures, workers)
        todo, outs = steps(folder, archive, workers), folder / "data"
        taken: Costs = {}
        rows: list[Sequence[str]] = [HEADER]
        for name, command in todo.items():
            before = weight(outs)
            one, peak = watched(command, ROOT)
            taken[name] = one.seconds, peak
            written = (weight(outs) - before) / 1e6
            cost = one.seconds / pictures * 1e6
            figures = (one.seconds, one.cpu, cost, written)
            together = f"{peak / MEBI:,.0f}"
            if most := GIGABYTES.get(name):
                together += judged(peak <= most * 1e9, f"{most} GB")
            rows.append((name, *(f"{figure:,.1f}" for figure in figures), together))
        print(f"\n{pictures:,} pictures, {archive.stat().st_size / pictures:.0f} bytes each\n")
        print(markdown(rows), flush=True)
        there, found = twins(folder, pictures)
        print(f"\n{there:,} pictures are there twice, {found:,} of them were found")

        repeated = ("index, no near-duplicates", "preprocess", EPOCH, PILLOW)
        rounds = [{name: taken[name][0] for name in repeated}]
        while len(rounds) < ROUNDS:
            rounds.append({name: timed(todo[name], ROOT).seconds for name in repeated})
        for name in repeated[:2]:
            times = median(one[name] / one[PILLOW] for one in rounds)
            print(f"{name}: {times:.2f} times Pillow alone{judged(times <= TIMES, TIMES)}")
        rate = pictures * 0.8 / median(one[EPOCH] for one in rounds)
        print(f"batches: {rate:,.0f} pictures a second{judged(rate >= RATE, RATE)}")
        images = outs / "raw/images.zip"
        times = overhead(images, workers)
        print(f"the local pool: {times:.3f} times a plain one{judged(times <= OVERHEAD, OVERHEAD)}")
        if dask and pictures <= SIZES[1]:
            times = gain(images)
            print(
                f"two Dask workers: {times:.2f} times as fast as one{judged(times >= GAIN, GAIN)}"
            )
    return taken


def judged(kept: bool, target: object) -> str:
    """A target and whether it was kept, for the end of a line."""
    return f" ({target} {'met' if kept else 'MISSED'})"


def weight(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The power of the size with which time grows, by a least-squares fit of the logarithms.

    >>> round(exponent([10, 100, 1000], [2.0, 20.0, 200.0]), 3)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def growth(sizes: Sequence[int], runs: Sequence[Costs]) -> str:
    """A table of the exponents, and of a set of PAPER pictures by them, which nobody has run.

    Time grows there from that of the largest size as the fit says, at least linearly: what a
    process needs to start bends the fit.  Memory goes on in a line through the two largest sizes.
    """
    header = ("step", "exponent of time", f"{PAPER:,} pictures, on paper: hours", "GiB")
    rows: list[Sequence[str]] = [header]
    for name, (seconds, most) in runs[-1].items():
        power = exponent(sizes, [run[name][0] for run in runs])
        hours = seconds * (PAPER / sizes[-1]) ** max(power, 1) / 3600
        slope = (most - runs[-2][name][1]) / (sizes[-1] - sizes[-2])
        memory = (most + max(slope, 0) * (PAPER - sizes[-1])) / (1 << 30)
        rows.append((name, f"{power:.3f}", f"{hours:,.1f}", f"{memory:,.0f}"))
    return markdown(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every size and print everything."""
    command = parser("benchmarks.scale", __doc__)
    command.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pictures of each set")
    command.add_argument("--workers", type=int, default=processors(), help="processes of a stage")
    command.add_argument("--dask", action="store_true", help="also one Dask worker against two")
    args = command.parse_args(argv)
    print(describe_machine(["pillow", "numpy", "scipy"]))
    runs = [report(pictures, args.workers, args.dask) for pictures in args.sizes]
    if len(runs) > 1:
        print(f"\n{growth(args.sizes, runs)}\n")
        both = [run["index"][0] + run["preprocess"][0] for run in runs]
        power, (low, high) = exponent(args.sizes, both), EXPONENTS
        kept = judged(low <= power <= high, f"{low} to {high}")
        print(f"index and preprocess together: exponent {power:.3f}{kept}")


if __name__ == "__main__":
    run(main)
