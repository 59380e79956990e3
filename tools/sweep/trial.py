"""One trial: `dvc exp run` in a clone that nothing else uses, so nobody's workspace is touched.

`dvc exp run --temp` was not taken: it stashes the edits of the user's workspace while it starts,
and two that start together can take each other's parameters or fail for the lock.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from facial_expression.core.errors import PipelineError, TrainingError, reason
from facial_expression.core.files import atomic, read_json
from facial_expression.core.params import load
from facial_expression.network.recipe import Recipe
from tools.sweep.space import Sweep, Value

EPOCH = re.compile(r"epoch (\d+)/\d+: .*val accuracy ([\d.]+)")
"""What stage train prints after each epoch."""
STAGES = ("train", "evaluate")


def git(*arguments: str) -> str:
    """What git prints, in the current folder; a PipelineError if it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise PipelineError(f"git {arguments[0]} failed: {reason}; run this in the repository")
    return done.stdout.strip()


@contextmanager
def workspace(name: str, commit: str) -> Iterator[Path]:
    """A clone of the current folder's repository at `commit`, with its DVC cache, for one trial.

    Yields the folder in it that corresponds to the current one.  What a killed process left of the
    trial's training is continued.  The clone is deleted afterwards unless Ctrl-C ends the block.

    Raises:
        PipelineError: another process works on a trial of this name.
    """
    from dvc.repo import Repo

    with Repo() as repo:
        tmp, cache = Path(repo.tmp_dir), repo.cache.local_cache_dir
    place = tmp / "sweeps" / name
    place.parent.mkdir(exist_ok=True)
    try:
        lock = FileLock(f"{place}.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise PipelineError(
            f"{place}: another process runs a trial of this name; give each study a name of its own"
        ) from None
    try:
        inside = place / git("rev-parse", "--show-prefix")
        end_processes(place)
        with atomic(place) as fresh:
            root = git("rev-parse", "--show-toplevel")
            git("clone", "--quiet", "--shared", "--no-checkout", root, str(fresh))
            git("-C", str(fresh), "checkout", "--quiet", "--detach", commit)
            if (inside / ".resume").exists():
                (inside / ".resume").rename(fresh / inside.relative_to(place) / ".resume")
        _configure(inside, cache)
        yield inside
        shutil.rmtree(place)
    except Exception:
        end_processes(place)
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _configure(clone: Path, cache: str) -> None:
    """Let a clone use the cache and the local settings of the current folder's repository."""
    from dvc.repo import Repo

    if Path(".dvc/config.local").exists():
        shutil.copy(".dvc/config.local", clone / ".dvc/config.local")
    with Repo(str(clone)) as repo, repo.config.edit("local") as settings:
        settings.setdefault("cache", {})["dir"] = cache


def end_processes(place: Path) -> None:
    """End whatever runs in a folder: what a killed sweep left, what is given up."""
    found = [
        process
        for process in psutil.process_iter(["cwd"])
        if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(place)
    ]
    for process in found:
        process.kill()
    psutil.wait_procs(found, timeout=30)


def started(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command in a folder, with this Python's `python` first; stdout holds both streams."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def link_networks(clone: Path, recipe: Path) -> None:
    """Bring the networks that a recipe starts from or learns from, where git lacks them."""
    train = load(recipe, "train", Recipe)
    for path in filter(None, (train.initial.weights, train.teacher.weights)):
        if not (clone / path).exists() and Path(path).exists():
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            (clone / path).symlink_to(Path(path).absolute())


def overrides(sweep: Sweep, drawn: Mapping[str, Value]) -> list[str]:
    """The options of `dvc exp run` that set the recipe and the drawn values.

    A text is put in quotes, because `-S` would take some for numbers.
    """
    file = f"conf/recipe/{sweep.recipe}.yaml"
    values = [f"{file}:{key}={json.dumps(value)}" for key, value in drawn.items()]
    return [word for value in [f"recipe={sweep.recipe}", *values] for word in ("-S", value)]


def epochs(clone: Path, name: str, options: list[str]) -> Generator[tuple[int, float]]:
    """Run a trial as an experiment of the clone; epoch and validation accuracy after each epoch.

    A caller that stops before the end ends the run.

    Raises:
        TrainingError: the run failed; the message is that of its stage.
    """
    command = [sys.executable, "-m", "dvc", "exp", "run", "--single-item", "--name", name]
    lines = [""]
    with started(clone, *command, *options, *STAGES) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                lines.append(line.strip())
                if match := EPOCH.match(line):
                    yield int(match[1]), float(match[2])
                elif line.startswith("continuing"):
                    print(f"{name}: {line}", end="", flush=True)
        except BaseException:  # the caller closes this generator, or Ctrl-C
            end_processes(clone)
            raise
    if process.returncode:
        told = [line for line in lines if line.lower().startswith("error: ")]
        raise TrainingError(f"{name}: {(told or lines[-1:])[0].partition(': ')[2]}")


def keep(clone: Path, name: str) -> float:
    """Give the experiment of a finished trial to the original; its validation accuracy."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(clone)) as repo:
            repo.experiments.push("origin", [name], force=True)
    except DvcException as error:
        raise PipelineError(f"{name}: dvc exp push: {reason(error)}") from None
    scores = read_json(clone / "data/evaluation/metrics.json", "the evaluate stage")
    return float(scores["val_acc"])
