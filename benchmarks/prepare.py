"""Time and memory of fetch, index and preprocess, on an archive and on one many times as large.

    python -m benchmarks.prepare fer2013.zip

Every stage runs as a whole process, as `dvc repro` starts it.  The larger archive holds the given
pictures and copies of each as PGM files, one pixel changed, so that no copy is a duplicate.  The
rival is the seed notebook's way: every file opened by Pillow one after another, nothing checked.
Near-duplicates are not searched in the larger archive: it is made of them, and the time for them
grows with the square of the number of pictures.
Targets on two cores: 15 s together, 500 MB each, 1 KB a picture more.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.archives import enlarge
from benchmarks.measuring import (
    MEBI,
    ROOT,
    apart,
    describe_machine,
    ranging,
    timed,
    tree_peak,
    verdict,
)
from facial_expression.core.command import parser
from facial_expression.core.params import read_yaml

STAGES = ("fetch", "index", "preprocess")
SECONDS, MEGABYTES, KILOBYTES = 15, 500, 1  # the targets


@dataclass(frozen=True)
class Figures:
    """One stage: wall and CPU seconds of each run, peak bytes of its largest process and of all."""

    seconds: list[float]
    cpu: list[float]
    largest: int
    tree: int


def write_parameters(folder: Path, data: Path, archive: Path, **index: Any) -> Path:
    """A copy of a conf/data file for an archive; `index` replaces parameters of that section."""
    document = read_yaml(data)
    document["fetch"].update(source=str(archive), sha256=None)
    document["index"].update(index)
    path = folder / "pictures.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def commands(folder: Path, params: Path) -> dict[str, list[str | Path]]:
    """The command line of each stage, reading and writing below `folder`/data."""
    data = folder / "data"
    raw, index = data / "raw", data / "index"
    images, rows = raw / "images.zip", index / "index.csv"
    settings = ROOT / "params.yaml"
    arguments: tuple[tuple[str | Path, ...], ...] = (
        ("--params", params, "--out", raw),
        ("--params", params, "--raw", raw, "--out", index),
        ("--params", settings, "--images", images, "--index", rows, "--out", data / "arrays"),
    )
    return {
        stage: [sys.executable, "-m", f"stages.{stage}", *given]
        for stage, given in zip(STAGES, arguments, strict=True)
    }


def measure(
    folder: Path, data: Path, archive: Path, repeats: int, **index: Any
) -> dict[str, Figures]:
    """Run the three stages once to weigh them and warm up, then `repeats` times to time them."""
    todo = commands(folder, write_parameters(folder, data, archive, **index))
    trees = {name: tree_peak(command, ROOT) for name, command in todo.items()}
    runs = [{name: timed(todo[name], ROOT) for name in STAGES} for _ in range(repeats)]
    return {
        name: Figures(
            [run[name].seconds for run in runs],
            [run[name].cpu for run in runs],
            max(run[name].largest for run in runs),
            trees[name],
        )
        for name in STAGES
    }


def count_pictures(folder: Path) -> int:
    """How many rows the index of a measured run has."""
    return len((folder / "data/index/index.csv").read_bytes().splitlines()) - 1


def report(folder: Path, figures: dict[str, Figures]) -> None:
    """Print the figures of the archive that was measured in a folder."""
    print(f"\n{count_pictures(folder)} pictures")
    print(f"  {'stage':<11} {'largest process':>16} {'all processes':>14}  wall time")
    for stage, measured in figures.items():
        largest, tree = measured.largest / MEBI, measured.tree / MEBI
        kept = verdict([measured.tree / 1e6], MEGABYTES)
        print(
            f"  {stage:<11} {largest:>12.0f} MiB {tree:>10.0f} MiB  "
            f"{ranging(measured.seconds, 2)} s, CPU {ranging(measured.cpu, 2)} s; "
            f"{MEGABYTES} MB {kept}"
        )


def benchmark_time(folder: Path, data: Path, archive: Path, repeats: int) -> dict[str, Figures]:
    """Print the figures of the archive as it is, and the rival's."""
    figures = measure(folder, data, archive, repeats)
    report(folder, figures)
    # of each run, summed over the stages
    seconds = [sum(run) for run in zip(*(one.seconds for one in figures.values()), strict=True)]
    cpu = [sum(run) for run in zip(*(one.cpu for one in figures.values()), strict=True)]
    kept = verdict(seconds, SECONDS)
    both = f"{ranging(seconds, 2)} s, CPU {ranging(cpu, 2)} s"
    print(f"  together {both}: {SECONDS} s {kept}", flush=True)

    apart(shutil.unpack_archive, archive, folder / "files")
    loading: list[str | Path] = [sys.executable, "-m", "benchmarks.archives", folder / "files"]
    rival = [timed(loading, ROOT).seconds for _ in range(repeats + 1)][1:]  # the first warms up
    times = median(seconds) / median(rival)
    print(f"  the notebook's loading alone {ranging(rival, 2)} s: ours {times:.2f}x", flush=True)
    return figures


def report_growth(few: dict[str, Figures], many: dict[str, Figures], more: int) -> None:
    """Print the memory that each stage needs for one of so many `more` pictures."""
    for stage in STAGES:
        one, ten = few[stage], many[stage]
        largest = (ten.largest - one.largest) / more / 1024
        tree = (ten.tree - one.tree) / more / 1024
        print(
            f"  {stage:<11} grows by {largest:.2f} KB a picture (largest process), {tree:.2f} KB "
            f"(all): {KILOBYTES} KB {verdict([max(largest, tree)], KILOBYTES)}"
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both archives and the rival, and print everything."""
    command = parser("benchmarks.prepare", __doc__)
    command.add_argument("archive", type=Path, help="a zip of <split>/<class>/<name>")
    command.add_argument("--data", type=Path, default=ROOT / "conf/data/fer2013.yaml")
    command.add_argument("--repeats", type=int, default=5, help="timed runs of each stage")
    command.add_argument("--times", type=int, default=10, help="size of the larger archive")
    args = command.parse_args(argv)
    print(describe_machine(["pillow", "numpy"]))
    print(f"medians and ranges of {args.repeats} runs", flush=True)

    with tempfile.TemporaryDirectory(prefix="prepare-") as temporary:
        few, many = (Path(temporary) / name for name in ("few", "many"))
        # where an archive needs no pin, because DVC would notice a change of it
        archive, larger = (at / "data/source/pictures/pictures.zip" for at in (few, many))
        for place in (archive, larger):
            place.parent.mkdir(parents=True)
        shutil.copyfile(args.archive, archive)
        small = benchmark_time(few, args.data, archive, args.repeats)
        if args.times > 1:
            apart(enlarge, archive, larger, args.times)
            large = measure(many, args.data, larger, 1, near_duplicate=None)
            report(many, large)
            report_growth(small, large, count_pictures(many) - count_pictures(few))


if __name__ == "__main__":
    main()
