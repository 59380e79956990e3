"""Time and memory of fetch, index and preprocess on an archive.

    python -m benchmarks.prepare fer2013.zip

Every stage runs as a whole process, as `dvc repro` starts it.  The rival is the seed notebook's
way: every file opened by Pillow one after another, nothing checked.
Targets on two cores: 15 s together, 500 MB each.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import yaml

from benchmarks.measuring import (
    MEBI,
    ROOT,
    apart,
    describe_machine,
    ranging,
    timed,
    verdict,
    watched,
)
from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.params import read_yaml

SECONDS, MEGABYTES = 15, 500  # the targets
LOADING = """
import sys, pathlib, numpy, PIL.Image
files = sorted(path for path in pathlib.Path(sys.argv[1]).rglob("*") if path.is_file())
numpy.array([numpy.array(PIL.Image.open(path).convert("L")) for path in files])
"""
"""What Keras' `load_img(grayscale=True)` does, without importing TensorFlow."""


def commands(folder: Path, data: Path, archive: Path) -> dict[str, list[str | Path]]:
    """The command line of each stage on an archive, reading and writing below `folder`/data.

    `data` is a file of conf/data, of which a copy that names the archive is written.
    """
    document = read_yaml(data)
    document["fetch"].update(source=str(archive), sha256=None)
    params = folder / "pictures.yaml"
    params.write_text(yaml.safe_dump(document), encoding="utf-8")
    raw, index, arrays = (folder / "data" / name for name in ("raw", "index", "arrays"))
    given: dict[str, list[str | Path]] = {
        "fetch": ["--params", params, "--out", raw],
        "index": ["--params", params, "--raw", raw, "--out", index],
        "preprocess": ["--params", ROOT / "params.yaml", "--images", raw / "images.zip",
                       "--index", index / "index.csv", "--out", arrays],
    }  # fmt: skip
    return {name: [sys.executable, "-m", f"stages.{name}", *rest] for name, rest in given.items()}


def report(folder: Path, data: Path, archive: Path, repeats: int) -> None:
    """Run the stages once to weigh them and warm up, then `repeats` times; print the figures."""
    todo = commands(folder, data, archive)
    trees = {name: watched(command, ROOT)[1] for name, command in todo.items()}
    runs = [{name: timed(command, ROOT) for name, command in todo.items()} for _ in range(repeats)]
    for name, tree in trees.items():
        measured = [run[name] for run in runs]
        print(
            f"{name:<11} largest process {max(each.largest for each in measured) / MEBI:.0f} MiB, "
            f"all {tree / MEBI:.0f} MiB: {MEGABYTES} MB {verdict([tree / 1e6], MEGABYTES)}; "
            f"{ranging([each.seconds for each in measured], 2)} s, "
            f"CPU {ranging([each.cpu for each in measured], 2)} s"
        )
    seconds = [sum(each.seconds for each in run.values()) for run in runs]
    cpu = [sum(each.cpu for each in run.values()) for run in runs]
    kept = verdict(seconds, SECONDS)
    print(f"together {ranging(seconds, 2)} s, CPU {ranging(cpu, 2)} s: {SECONDS} s {kept}")

    apart(shutil.unpack_archive, archive, folder / "files")
    loading: list[str | Path] = [sys.executable, "-c", LOADING, folder / "files"]
    rival = [timed(loading, ROOT).seconds for _ in range(repeats + 1)][1:]  # the first warms up
    times = median(seconds) / median(rival)
    print(f"the notebook's loading alone {ranging(rival, 2)} s: ours {times:.2f}x")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the stages and the rival, and print everything."""
    command = parser("benchmarks.prepare", __doc__)
    command.add_argument("archive", type=Path, help="a zip of <split>/<class>/<name>")
    command.add_argument("--data", type=Path, default=ROOT / "conf/data/fer2013.yaml")
    command.add_argument("--repeats", type=int, default=5, help="timed runs of each stage")
    args = command.parse_args(argv)
    print(describe_machine(["pillow", "numpy"]))
    print(f"medians and ranges of {args.repeats} runs", flush=True)
    with tempfile.TemporaryDirectory(prefix="prepare-") as temporary:
        # where an archive needs no pin, because DVC would notice a change of it
        archive = Path(temporary) / "data/source/pictures/pictures.zip"
        archive.parent.mkdir(parents=True)
        shutil.copyfile(args.archive, archive)
        report(Path(temporary), args.data, archive, args.repeats)


if __name__ == "__main__":
    run(main)
