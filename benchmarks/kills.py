"""Kill the pipeline at random moments: the next `dvc repro` must end like an undisturbed one.

    python -m benchmarks.kills [--kills 42] [--seed 0] [--epochs 2]

Reads   the commit that is checked out; all happens in a temporary clone, on the sample.
Prints  each kill (signal 9): stage, what was killed, after how many seconds of the stage, and its
        end; then the number of ends that differ: 0.

Every stage is hit in turn, alone, with its `dvc`, and by way of its `dvc`, which leaves it running.
The moment is drawn between the start of the stage and a little after its usual end, when DVC stores
its outputs.  An end is equal if dvc.lock, which holds the hash of every output, has the same bytes,
if `dvc status` finds every file as the lock says, also after the last process has ended, and if no
temporary file is left.  Where `dvc` was killed while it wrote dvc.lock, `git restore dvc.lock`
brings that back first (docs/reliability.md); the line then says so.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np
import psutil
import yaml

from benchmarks.measuring import ROOT
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import DatasetError, run
from tools.sweep.trial import started

STAGES = ("fetch", "index", "preprocess", "train", "evaluate", "plot", "export")
TARGETS = ("the stage", "both", "dvc")
LATE = 1.1  # share of a stage's time until which it may be killed
PATIENCE = 300.0  # seconds


def told(clone: Path, *command: str) -> str:
    """What a command says; a DatasetError if it fails."""
    with started(clone, *command) as process:
        text, _ = process.communicate()
    if process.returncode:
        raise DatasetError(f"{' '.join(command)}: {' '.join(text.split())[-600:]}")
    return text


def undisturbed(clone: Path, epochs: int) -> dict[str, float]:
    """Run the pipeline of a clone with so many epochs, whatever it has; the seconds of a stage."""
    recipe = clone / "conf/recipe/sample.yaml"
    text = re.sub(r"epochs: \d+", f"epochs: {epochs}", recipe.read_text(encoding="utf-8"))
    recipe.write_text(text, encoding="utf-8")
    times: dict[str, float] = {}
    with started(clone, "dvc", "repro", "--force") as process:
        for line in process.stdout or ():
            if found := re.match("Running stage '(.+)'", line):
                times[found[1]] = time.perf_counter()
        times["end"] = time.perf_counter()
    who = ("-c", "user.name=kills", "-c", "user.email=kills@example.org")
    told(clone, "git", *who, "commit", "--quiet", "--all", "--message", "Undisturbed")
    moments = list(times.values())
    return dict(zip(times, np.diff(moments).tolist(), strict=False))


def stage_of(dvc: subprocess.Popen[str]) -> list[psutil.Process]:
    """The process of the stage that `dvc` runs, as soon as there is one, and those it started."""
    until = time.monotonic() + PATIENCE
    while dvc.poll() is None and time.monotonic() < until:
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(dvc.pid).children(recursive=True)
            if any("stages." in " ".join(child.cmdline()) for child in children):
                return list(children)
        time.sleep(0.02)
    raise DatasetError(f"expected a stage to start, found that dvc ended with {dvc.returncode}")


def forget(clone: Path, stage: str) -> None:
    """Take a stage's outputs out of DVC's cache, or the next run would bring them from there."""
    lock = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    for out in lock["stages"][stage]["outs"]:
        name = out["md5"]
        (clone / ".dvc/cache/files/md5" / name[:2] / name[2:]).unlink(missing_ok=True)
    shutil.rmtree(clone / ".dvc/cache/runs", ignore_errors=True)


def kill(clone: Path, stage: str, target: str, after: float) -> list[psutil.Process]:
    """Kill one run of a stage, the first as far as DVC knows; the processes that may still run."""
    forget(clone, stage)
    with started(clone, "dvc", "repro", "--force", "--single-item", stage) as dvc:
        children = stage_of(dvc)
        time.sleep(after)
        victims = [child.pid for child in children] if target != "dvc" else []
        for pid in [dvc.pid] * (target != "the stage") + victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if target == "dvc":
            dvc.stdout.close()  # type: ignore[union-attr]  # the stage holds the other end
        else:
            dvc.communicate()
        dvc.wait()
    return children


def end(clone: Path, children: Sequence[psutil.Process]) -> str:
    """How `dvc repro` ends after a kill, in words; a stage that is still training is waited for."""
    until, ending = time.monotonic() + PATIENCE, "equal"
    while True:
        try:
            told(clone, "dvc", "repro", "--no-run-cache")
            break
        except DatasetError as error:
            if "dvc.lock'" in str(error) and ending == "equal":
                told(clone, "git", "restore", "dvc.lock")
                ending = "equal, after git restore dvc.lock"
            elif "another process trains" not in str(error) or time.monotonic() > until:
                return f"failed: {error}"
            time.sleep(1)
    psutil.wait_procs(children, timeout=PATIENCE)
    if "up to date" not in (status := told(clone, "dvc", "status", "dvc.yaml")):
        return f"changed: {' '.join(status.split())}"
    left = [path.name for path in (clone / "data").rglob(".*.half")]
    return f"left: {left}" if left else ending


def kills(
    clone: Path, seconds: Mapping[str, float], number: int, seed: int
) -> Iterator[tuple[str, str]]:
    """Kill so many runs of a finished pipeline; what was done and how it ended, one by one.

    `seconds` are those of each stage.
    """
    lock = (clone / "dvc.lock").read_bytes()
    rng = np.random.default_rng(seed)
    for target, stage in islice(cycle(product(TARGETS, STAGES)), number):
        after = rng.uniform(0, LATE * seconds[stage])
        found = end(clone, kill(clone, stage, target, after))
        if found.startswith("equal") and (clone / "dvc.lock").read_bytes() != lock:
            found = "other hashes in dvc.lock"
        yield f"{stage}, {target} killed after {after:.2f} of {seconds[stage]:.2f} s", found


def main(argv: Sequence[str] | None = None) -> None:
    """Kill and print; exit code 1 if an end differs."""
    arguments = parser("benchmarks.kills", __doc__)
    arguments.add_argument("--kills", type=at_least(1), default=42)
    arguments.add_argument("--seed", type=at_least(0), default=0)
    arguments.add_argument("--epochs", type=at_least(1), default=2)
    args = arguments.parse_args(argv)
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        told(ROOT, "git", "clone", "--quiet", str(ROOT), str(clone))
        seconds = undisturbed(clone, args.epochs)
        for done, found in kills(clone, seconds, args.kills, args.seed):
            print(f"{done}: {found}", flush=True)
            differ += not found.startswith("equal")
    print(f"{args.kills} kills, {differ} ends that differ")
    sys.exit(differ > 0)


if __name__ == "__main__":
    run(main)
