"""Atomic and canonical writes: a file is whole or absent, and equal content is equal bytes."""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from facial_expression.core.errors import PipelineError, damaged, reason

DECIMALS = 6
"""Fixed precision of every float that is written as text."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member of a zip: the first that a zip can hold."""

UNIX = 3  # the system that every zip claims to come from
HALF = ".half"  # ends the names of folders in which something is being written
STARTED = os.getpid(), os.getppid()


def repository() -> Path:
    """The folder of the repository, also while DVC runs a stage in a temporary copy of it.

    `dvc exp run --temp` and the queue copy what git or DVC tracks, from DVC_ROOT.
    """
    return Path(os.environ.get("DVC_ROOT", ""))


def in_repository(path: Path) -> Path:
    """`path`, or what lies there in the repository where a temporary copy lacks it.

    A file that neither git nor DVC tracks is not in the copy.
    """
    return path if path.exists() else repository() / path


def place(text: str) -> Path:
    """A path of this machine, or the address of a file or folder in a store, as s3://bucket/raw.

    Such an address can be joined, opened and read as a path can (universal_pathlib, fsspec).
    """
    if "://" not in text:
        return Path(text)
    from upath import UPath

    return cast(Path, UPath(text))


def in_store(path: Path) -> bool:
    """Whether a path is an address in a store, where a file is whole or absent."""
    return not isinstance(path, Path)


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Turn what the library of a store raises into one line; on this machine, nothing changes."""
    try:
        yield
    except Exception as error:  # each library has its own family of errors
        if isinstance(error, PipelineError) or not in_store(path):
            raise
        found = f"{type(error).__name__} {reason(error)}"[:300]
        raise PipelineError(
            f"{path}: {found}; check the address and your credentials, and run again"
        ) from error


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path on the same disk, for the block to make a file or a folder there.

    If the block succeeds, the result replaces `path`; else `path` stays as it was and nothing is
    left.  Missing parent folders are made.  The umask says who else may read the result.
    A store cannot replace a folder at once: there `path` itself is yielded, if it is empty.

    A PipelineError if `dvc` ran this stage and was killed: its next run may be writing already.
    """
    if in_store(path):
        with reaching(path):
            if path.exists() and any(path.iterdir()):
                remedy = "remove them, or name another"
                raise PipelineError.expected(path, "an empty place", "files", remedy)
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(HALF, f".{path.name}.", path.parent) as place:
        temporary = Path(place, path.name)
        yield temporary
        process, parent = os.getpid(), os.getppid()
        if "DVC_STAGE" in os.environ and process == STARTED[0] and parent != STARTED[1]:
            raise PipelineError(
                f"{path}: the dvc that ran this stage has ended; nothing is written"
            )
        if temporary.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)


def remove_leftovers(out: Path) -> None:
    """Remove what killed runs of the stage that writes `out` left in it and beside it.

    DVC runs a stage once at a time.  What lies in a store is the user's to remove.
    """
    if in_store(out):
        return
    for folder in [*out.glob(f".*{HALF}"), *out.parent.glob(f".{out.name}.*{HALF}")]:
        shutil.rmtree(folder, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically, here or in a store."""
    if in_store(path):
        with reaching(path):
            path.write_bytes(data)
        return
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with line feeds as line ends on every system."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: keys in the given order, floats rounded to `DECIMALS`.

    NaN and infinity, on which viewers of DVC's metrics break, are a ValueError.
    """
    text = json.dumps(rounded(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_text(path: Path, written_by: str) -> str:
    """A text in UTF-8 of `the export stage` or such; a DatasetError if it is missing or none."""
    with damaged(path, written_by):
        with reaching(path):
            data = path.read_bytes()
        return data.decode()


def read_json(path: Path, written_by: str) -> Any:
    """A JSON file of `the index stage` or such; a DatasetError if it is missing or no JSON."""
    with damaged(path, written_by):
        return json.loads(read_text(path, written_by))


def rounded(value: Any) -> Any:
    """A value as JSON holds it, with every float rounded to `DECIMALS` decimals, none -0.0."""
    return json.loads(
        json.dumps(value), parse_float=lambda text: round(float(text), DECIMALS) + 0.0
    )


def write_zip(path: Path, members: Iterable[tuple[str, bytes]], permissions: int = 0o100644) -> int:
    """Write a zip without compression, dates and other traces of the machine; not atomic.

    `members` are names with their bytes in the order of writing, `permissions` the Unix mode of
    each.  Returns the number of members.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system, info.external_attr = UNIX, permissions << 16
            archive.writestr(info, content)
        return len(archive.infolist())


def sha256_of(path: Path) -> str:
    """The hexadecimal sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
