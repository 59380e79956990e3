"""The state of an interrupted training run, so that it ends as an uninterrupted one would.

Keras' BackupAndRestore and a `.keras` checkpoint were tried: with neither does a resumed run give
the same bytes, because seed generators are not restored (docs/decisions.md).
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from facial_expression.core.arrays import npy
from facial_expression.core.errors import DatasetError, TrainingError, damaged
from facial_expression.core.files import atomic, sha256_of, write_zip

Variables = list[NDArray[Any]]
LIBRARY = Path(__file__).parents[1]
CODE = ("core", "network", "train")
"""The packages that training runs: the code deps of stage train in dvc.yaml but for its script."""
FILE = "state.npz"
ARRAYS = ("variables", "average", "kept")  # of a state, as they are named in its file


@dataclass
class State:
    """Everything that the next epoch depends on.

    `variables` are all of model (seed generators included) and optimizer, `average` is the running
    average of the model's, if weights are averaged, and `kept` are the model's that would be
    returned now: of the last epoch or of the best one.
    """

    history: list[dict[str, float]] = field(default_factory=list)  # one dictionary an epoch done
    variables: Variables = field(default_factory=list)
    average: Variables = field(default_factory=list)
    kept: Variables = field(default_factory=list)


def key_of(inputs: Sequence[Path], parameters: Any, library: Path = LIBRARY) -> str:
    """A hash of everything that determines a fit; equal keys may share their state.

    It covers `inputs` (files or whole folders: the data, the caller's script), `parameters` (what
    JSON can hold: the recipe, versions of packages) and the packages `CODE`.
    """
    lines = []
    for root in [*(library / package for package in CODE), *inputs]:
        files = [path for path in [root, *root.rglob("*")] if path.is_file()]
        read = [path for path in files if "__pycache__" not in path.parts]
        lines += [f"{path.relative_to(root.parent)}:{sha256_of(path)}" for path in read]
    parts = [json.dumps(parameters, sort_keys=True), *sorted(lines)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@contextmanager
def held(folder: Path, key: str) -> Iterator[Path]:
    """Lock the checkpoint folder of one run; it is deleted when the block succeeds.

    A TrainingError if another process holds it (a killed `dvc` leaves its child training).
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{key}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise TrainingError(
            f"{folder}: another process trains on the same inputs and parameters already; "
            "wait for it, or end it and run this again to continue from its last epoch"
        ) from None
    try:
        yield folder / key
        shutil.rmtree(folder / key, ignore_errors=True)
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def write(folder: Path, state: State) -> None:
    """Write the state atomically, so that it survives a loss of power."""
    parts = ((name, enumerate(getattr(state, name))) for name in ARRAYS)
    arrays = {f"{name}-{i:04d}": value for name, values in parts for i, value in values}
    arrays["history"] = np.frombuffer(json.dumps(state.history).encode(), np.uint8)
    with atomic(folder / FILE) as temporary:
        # NumPy's own zips have the date, which must lie between 1980 and 2107
        write_zip(temporary, ((f"{name}.npy", npy(array)) for name, array in arrays.items()))
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())


def unpacked(file: Path | IO[bytes]) -> State:
    """The state in a file of `write`."""
    with np.load(file, allow_pickle=False) as stored:
        names = sorted(stored.files)
        arrays = {kind: [stored[name] for name in names if kind in name] for kind in ARRAYS}
        return State(json.loads(stored["history"].tobytes()), **arrays)


def read(folder: Path) -> State:
    """The state that `write` left, otherwise an empty one; a damaged file is renamed and told."""
    path = folder / FILE
    if not path.exists():
        return State()
    try:
        with damaged(path, "the train stage"):
            return unpacked(path)
    except DatasetError:
        aside = path.replace(path.with_suffix(".damaged"))
        print(f"{path}: damaged, kept as {aside.name}; training starts anew", file=sys.stderr)
        return State()
