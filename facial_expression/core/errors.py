"""Errors that a user can correct, one class per kind, and `run`, which prints them in one line.

Every message says what was expected, what was found, where, and what to do.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

EXTRAS = {
    **dict.fromkeys(("onnxruntime", "av", "cv2", "tqdm"), "predict"),
    **dict.fromkeys(("flask", "markupsafe", "waitress", "markdown_it"), "web"),
    "jax": "jax",
    "optuna": "sweep",
    "distributed": "dask",
    "upath": "s3",
}
"""Packages that only an extra of pyproject.toml installs -> the extra."""


class PipelineError(Exception):
    """An error with a message of one line for the user; `run` prints it without a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))  # a name may hold line ends

    @classmethod
    def expected(cls, where: Path | str, what: str, found: object, remedy: str) -> Self:
        """The error of something that is not as expected."""
        return cls(f"{where}: expected {what}, found {found}; {remedy}")


class ParameterError(PipelineError):
    """A parameter is unknown, missing, or of the wrong type or range."""


class SourceError(PipelineError):
    """The source of a data set or of pictures is missing, unreachable or of an unknown kind."""


class ChecksumError(PipelineError):
    """The data set is not the one whose checksum `fetch.sha256` gives."""


class ArchiveError(PipelineError):
    """An archive is truncated, empty, corrupt or unsafe to unpack."""


class DatasetError(PipelineError):
    """The pictures are not a data set for training and testing."""


class ImageError(PipelineError):
    """A picture cannot be decoded."""


class ModelError(PipelineError):
    """A model cannot be built or read, or does not fit its input."""


class TrainingError(PipelineError):
    """Training cannot continue (the loss is not finite, the checkpoint is in use)."""


def reason(error: BaseException) -> str:
    """What an error says, on one line; its type if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


FULL = {errno.ENOSPC, errno.EDQUOT}
MACHINE = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
NOT_THE_FILE = {errno.EACCES, errno.EPERM, *FULL, *MACHINE}


def not_the_file(error: BaseException) -> bool:
    """Whether an error says nothing of what a file holds: of permissions, disk or memory."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in NOT_THE_FILE


@contextmanager
def damaged(where: Path | str, written_by: str) -> Iterator[None]:
    """Turn what the damaged files `where` make the block raise into a DatasetError.

    `written_by` is what to run to write them anew, such as `the index stage`.
    """
    try:
        yield
    except Exception as error:  # those of NumPy, pandas, json and zipfile have no common base class
        if isinstance(error, PipelineError) or not_the_file(error):
            raise
        found = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise DatasetError(
            f"{where}: expected what {written_by} writes, found damage ({found}); "
            f"run {written_by} again"
        ) from error


def run(main: Callable[[], None]) -> None:
    """Call a script's `main`; print a user's mistake in one line on stderr, with exit code 1.

    Missing files and extras, wrong permissions, a full disk or memory are such; Ctrl-C gives exit
    code 130.  Any other exception is a bug and keeps its traceback.
    """
    if sys.stderr is None:  # `2>&-`: the next file would get its number, and its lines
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = os.fdopen(2, "w")
    try:
        if sys.stdout is None:
            raise PipelineError("standard output is closed; send it to a file or to /dev/null")
        main()
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        sys.exit(
            f"error: the package {error.name} of the extra {EXTRAS[error.name]} is not installed; "
            f"run `pip install 'facial-expression-pipeline[{EXTRAS[error.name]}]'`, in a clone "
            "`pip install -r requirements-extras.txt`"
        )
    except BrokenPipeError:
        try:
            print(flush=True)  # is it this pipe?
        except BrokenPipeError:  # its reader has enough, as in `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        raise
    except OSError as error:
        sys.exit(f"error: {_explain(error)}")
    except MemoryError as error:
        sys.exit(f"error: too little memory: {reason(error)}; free some and run the command again")


def _explain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    match error.errno:
        case number if number in FULL:
            return f"{where}no space left on the device; free some and run the command again"
        case errno.ENOENT:
            return f"{where}no such file; run the stage that writes it first"
        case errno.ENAMETOOLONG | errno.ELOOP:
            return f"{where}{error.strerror}; correct the path"
        case errno.EACCES | errno.EPERM | errno.EROFS | errno.ENOTDIR | errno.EISDIR | errno.EEXIST:
            return f"{where}{error.strerror}; correct the path or its permissions"
        case number if number in MACHINE:
            return f"{where}{error.strerror}; see to the disk or the machine, and run again"
        case _:
            raise error
