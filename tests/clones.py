"""Temporary clones of the working tree, for tests that drive the real git and dvc."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
STATE = ("dvc.lock", "params.yaml", "conf", "data/index", "data/evaluation")


def environment() -> dict[str, str]:
    """The environment with this interpreter's `python` first, as an activated one has it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    who = {"GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org"}
    who |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in who.items()}
    return {**os.environ, **who, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def run(clone: Path, *command: str, check: bool = True) -> str:
    """Run a command in the clone; its output, both streams."""
    done = subprocess.run(
        command,
        cwd=clone,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}"
    return done.stdout


def started(clone: Path, *command: str, stderr: int = subprocess.STDOUT) -> subprocess.Popen[str]:
    """Start a command in the clone; by default its output is both streams."""
    return subprocess.Popen(
        command,
        cwd=clone,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def make_clone(target: Path, root: Path = ROOT) -> Path:
    """Copy what git tracks or would track, uncommitted edits included, and commit it there.

    The state of a run (lock, metrics, what is active) is the committed one: on another processor a
    `dvc repro` may have changed it, and the embedded remote holds what the committed lock names.
    """
    listed = run(root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target / name)
    run(target, "git", "init", "--quiet", "--initial-branch", "main")
    archive = target / ".git" / "state.zip"
    run(root, "git", "archive", "--output", str(archive), "HEAD", "--", *STATE)
    with zipfile.ZipFile(archive) as committed:  # a tar has no safe way out before Python 3.11.4
        committed.extractall(target)
    run(target, "git", "add", "--all", "--force")
    run(target, "git", "commit", "--quiet", "--message", "The state under test")
    return target


def copied(clone: Path, target: Path) -> Path:
    """A copy of a clone with its cache, to be changed."""
    return shutil.copytree(clone, target, symlinks=True)


@contextmanager
def edited(path: Path, text: str) -> Iterator[None]:
    """Another text in a file, until the block ends."""
    before = path.read_bytes()
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(before)


def stages_run(output: str) -> list[str]:
    """The stages that `dvc repro` or `dvc exp run` says it executed."""
    marks = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1] for line in marks]
