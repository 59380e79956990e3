"""Kill the pipeline at random moments: the next `dvc repro` must end like an undisturbed one.

    python -m benchmarks.kills [--kills 42] [--seed 0]

Reads   the commit that is checked out; all happens in a temporary clone, on the sample, two epochs.
Prints  each kill (signal 9): stage, what was killed, after how many seconds of the stage, and its
        end; then the number of ends that differ: 0.

Every stage is hit in turn, alone, with its `dvc`, and by way of its `dvc`, which leaves it running.
The moment is drawn between the start of the stage and a little after its usual end, when DVC stores
its outputs; if nothing is left to kill by then, the stage runs again for half as long.  An end is
equal if dvc.lock, which holds the hash of every output, has the same bytes, if DVC finds every file
as the lock says, also after the last process has ended, and if no temporary file is left.  Where
`dvc` was killed while it wrote one of its own files, the command of docs/reliability.md mends that
first; the line then says so.
"""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil
import yaml
from dvc.repo import Repo

from benchmarks.measuring import ROOT
from facial_expression.core.command import at_least, parser
from facial_expression.core.errors import DatasetError, run
from facial_expression.core.files import HALF
from tools.sweep.trial import started

STAGES = ("fetch", "index", "preprocess", "train", "evaluate", "plot", "export")
TARGETS = ("the stage", "both", "dvc")
LATE = 1.1  # share of a stage's time until which it may be killed
PATIENCE = 300.0  # seconds
REMEDIES = {"dvc.lock'": "git restore dvc.lock", ".dvc/tmp/rwlock'": "rm .dvc/tmp/rwlock"}
"""What DVC says of a file that it was writing when it was killed -> the command that mends it."""
EPOCHS = 2


Processes = Sequence[psutil.Process]


def told(clone: Path, *command: str) -> str:
    """What a command says; a DatasetError if it fails."""
    with started(clone, *command) as process:
        text, _ = process.communicate()
    if process.returncode:
        raise DatasetError(f"{' '.join(command)}: {' '.join(text.split())[-600:]}")
    return text


def undisturbed(clone: Path) -> dict[str, float]:
    """Run the pipeline of a clone, whatever it has, and commit it; the seconds of each stage."""
    times: dict[str, float] = {}
    with started(clone, "dvc", "repro", "--force") as process:
        for line in process.stdout or ():
            if found := re.match("Running stage '(.+)'", line):
                times[found[1]] = time.perf_counter()
        times["end"] = time.perf_counter()
    if process.returncode:
        raise DatasetError(f"{clone}: expected dvc repro to end well, found {process.returncode}")
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
    dvc.kill()
    found = " ".join(dvc.communicate()[0].split())[-600:]
    raise DatasetError(f"expected dvc to start a stage, found: {found}")


def forget(clone: Path, stage: str) -> None:
    """Take a stage's outputs out of DVC's cache, or the next run would bring them from there."""
    lock = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    for out in lock["stages"][stage]["outs"]:
        name = out["md5"]
        (clone / ".dvc/cache/files/md5" / name[:2] / name[2:]).unlink(missing_ok=True)
    shutil.rmtree(clone / ".dvc/cache/runs", ignore_errors=True)


def kill(clone: Path, stage: str, target: str, after: float) -> tuple[Processes, float]:
    """Kill one run of a stage, the first as far as DVC knows.

    Gives the processes that may still run, and when it was killed: a run that has ended by then is
    repeated for half as long.
    """
    forget(clone, stage)
    with started(clone, "dvc", "repro", "--force", "--single-item", stage) as dvc:
        children = stage_of(dvc)
        time.sleep(after)
        victims = children if target != "dvc" else []
        if target != "the stage" and dvc.poll() is None:
            victims = [psutil.Process(dvc.pid), *victims]
        hit = False
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
                hit = True
        if target == "dvc":
            dvc.stdout.close()  # type: ignore[union-attr]  # the stage holds the other end
        else:
            dvc.communicate()
        dvc.wait()
    return (children, after) if hit else kill(clone, stage, target, after / 2)


def end(clone: Path, children: Processes) -> str:
    """How `dvc repro` ends after a kill, in words; a stage that is still training is waited for."""
    mended: list[str] = []
    while True:
        try:
            told(clone, "dvc", "repro", "--no-run-cache")
            break
        except DatasetError as error:
            if "another process trains" in str(error) and psutil.wait_procs(children, PATIENCE)[0]:
                children = []
                continue
            needed = [command for sign, command in REMEDIES.items() if sign in str(error)]
            if not needed or needed[0] in mended:
                return f"failed: {error}"
            told(clone, *needed[0].split())
            mended += needed
    psutil.wait_procs(children, timeout=PATIENCE)
    with Repo(str(clone)) as repo:
        if changed := repo.status(targets=[str(clone / "dvc.yaml")]):
            return f"changed: {changed}"
    left = [path.name for path in (clone / "data").rglob(f".*{HALF}")]
    return f"left: {left}" if left else ", after ".join(["equal", *mended])


def kills(
    clone: Path, seconds: Mapping[str, float], number: int, seed: int
) -> Iterator[tuple[str, str]]:
    """Kill so many runs of a finished pipeline; what was done and how it ended, one by one.

    `seconds` are those of each stage, as `undisturbed` measured them.  Where `dvc repro` cannot go
    on, neither can this: that end is the last one.
    """
    lock = (clone / "dvc.lock").read_bytes()
    rng = np.random.default_rng(seed)
    pairs = zip(cycle(TARGETS), cycle(STAGES), strict=False)  # every one after 3 times 7
    for target, stage in islice(pairs, number):
        children, after = kill(clone, stage, target, rng.uniform(0, LATE * seconds[stage]))
        found = end(clone, children)
        if found.startswith("equal") and (clone / "dvc.lock").read_bytes() != lock:
            found = "other hashes in dvc.lock"
        yield f"{stage}, {target} killed after {after:.2f} of {seconds[stage]:.2f} s", found
        if found.startswith("failed"):
            return


def main(argv: Sequence[str] | None = None) -> None:
    """Kill and print; exit code 1 if an end differs."""
    arguments = parser("benchmarks.kills", __doc__)
    arguments.add_argument("--kills", type=at_least(1), default=42)
    arguments.add_argument("--seed", type=at_least(0), default=0)
    args = arguments.parse_args(argv)
    ends: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        told(ROOT, "git", "clone", "--quiet", str(ROOT), str(clone))
        recipe = clone / "conf/recipe/sample.yaml"
        text = re.sub(r"epochs: \d+", f"epochs: {EPOCHS}", recipe.read_text(encoding="utf-8"))
        recipe.write_text(text, encoding="utf-8")
        seconds = undisturbed(clone)
        for done, found in kills(clone, seconds, args.kills, args.seed):
            print(f"{done}: {found}", flush=True)
            ends.append(found)
    differ = sum(not found.startswith("equal") for found in ends)
    print(f"{len(ends)} kills, {differ} ends that differ")
    sys.exit(differ > 0)


if __name__ == "__main__":
    run(main)
