"""What DVC itself costs: asking what there is to do, and one archive against many files.

    python -m benchmarks.dvc_overhead [fer2013.zip]

1. `dvc status` in a fresh clone after `dvc pull`, beside `dvc --version`, which does nothing.
   Target: 2.5 s.
2. The same pictures tracked as one archive and as single files: `dvc add`, and `dvc pull` into an
   empty clone from a local remote.  Target: the archive is pulled 10 times faster.  Without an
   archive, as many pictures of noise are made.  The single files take minutes.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import (
    ROOT,
    clone,
    describe_machine,
    dvc,
    ratio,
    repeated,
    spread,
    timed,
    verdict,
)

SECONDS, TIMES = 2.5, 10  # the targets
NOISE = (35_887, 1_574)  # pictures, and bytes of each: as in FER2013's archive


def make_noise(path: Path, files: int, size: int) -> None:
    """Write a zip of `files` members of `size` random bytes, which no two share."""
    draw = random.Random(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(files):
            archive.writestr(f"train/noise/{number:06d}.jpg", draw.randbytes(size))


def benchmark_status(folder: Path, repeats: int) -> None:
    """Print how long `dvc status` takes where nothing is to be done."""
    checkout = clone(ROOT, folder / "checkout")
    timed(dvc("pull"), checkout)
    status = repeated(dvc("status", "--quiet"), checkout, repeats)  # fails where not up to date
    idle = repeated(dvc("--version"), checkout, repeats)
    print(f"dvc status     {spread(status)}: {SECONDS} s {verdict(status, SECONDS)}")
    print(f"dvc --version  {spread(idle)}: status takes {ratio(status, idle):.2f}x", flush=True)


def track(folder: Path, name: str) -> tuple[float, Path]:
    """`dvc add` and push `name` in `folder`; returns the seconds of adding, and an empty clone."""
    added = timed(dvc("add", "--quiet", name), folder).seconds
    timed(dvc("push", "--quiet", f"{name}.dvc"), folder)
    empty = folder.parent / f"{folder.name}-clone"
    (empty / ".dvc").mkdir(parents=True)
    shutil.copy(folder / f"{name}.dvc", empty)
    shutil.copy(folder / ".dvc/config", empty / ".dvc")
    return added, empty


def pull(empty: Path) -> float:
    """Seconds of a `dvc pull` into a clone that holds nothing."""
    seconds = timed(dvc("pull", "--quiet"), empty).seconds
    shutil.rmtree(empty / ".dvc/cache")
    for path in empty.iterdir():
        if path.is_dir() and path.name != ".dvc":
            shutil.rmtree(path)
        elif path.suffix == ".zip":
            path.unlink()
    return seconds


def make_project(folder: Path) -> Path:
    """An empty DVC project with a remote beside it."""
    folder.mkdir()
    timed(dvc("init", "--no-scm", "--quiet"), folder)
    remote = folder.parent / f"{folder.name}-remote"
    timed(dvc("remote", "add", "--default", "--quiet", "beside", remote), folder)
    timed(dvc("config", "core.analytics", "false"), folder)
    return folder


def benchmark_pull(folder: Path, archive: Path | None, repeats: int, slow_repeats: int) -> None:
    """Print how long one archive and its members as single files take to add and to pull."""
    one, many = make_project(folder / "one"), make_project(folder / "many")
    if archive is None:
        make_noise(one / "images.zip", *NOISE)
    else:
        shutil.copyfile(archive, one / "images.zip")
    with zipfile.ZipFile(one / "images.zip") as packed:
        packed.extractall(many / "images")
        print(f"{len(packed.infolist())} pictures, {'noise' if archive is None else archive.name}")

    adding, empty = track(one, "images.zip")
    pull(empty)  # warms up what both share
    pulling = [pull(empty) for _ in range(repeats)]
    print(f"one archive    add {adding:.2f} s (n = 1)  pull {spread(pulling)}", flush=True)
    slow_adding, empty = track(many, "images")
    slow = [pull(empty) for _ in range(slow_repeats)]
    print(f"single files   add {slow_adding:.2f} s (n = 1)  pull {spread(slow)}")
    times = ratio(slow, pulling)
    kept = "met" if times >= TIMES else "MISSED"
    print(
        f"the archive is added {slow_adding / adding:.1f} times and pulled {times:.1f} times faster"
    )
    print(f"target: pulled {TIMES} times faster: {kept}")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dvc_overhead",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("archive", type=Path, nargs="?", help="a zip of pictures")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slow-repeats", type=int, default=1, help="pulls of the single files")
    parser.add_argument("--no-status", action="store_true", help="only the second part")
    args = parser.parse_args(argv)
    print(describe_machine(["dvc"]), flush=True)
    with tempfile.TemporaryDirectory(prefix="dvc-overhead-") as temporary:
        if not args.no_status:
            benchmark_status(Path(temporary), args.repeats)
        benchmark_pull(Path(temporary), args.archive, args.repeats, args.slow_repeats)


if __name__ == "__main__":
    main()
