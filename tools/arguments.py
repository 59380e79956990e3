"""Types and defaults of arguments that several tools share."""

import argparse
import math
import os
from pathlib import Path

from facial_expression.core.command import at_least


def positive_float(text: str) -> float:
    """A type for argparse: finite numbers above 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return number


def share(text: str) -> float:
    """A type for argparse: numbers from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, found {text}")
    return number


def new_file(text: str) -> Path:
    """A type for argparse: a file to write; an existing file will be replaced.

    Folders, devices and pipes are refused, because the file is moved into place when it is
    complete, and would replace them.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file, found the folder {text}")
    if path.exists() and not path.is_file():
        raise argparse.ArgumentTypeError(f"expected a file, found the device or pipe {text}")
    return path


def add_prediction(parser: argparse.ArgumentParser) -> None:
    """Add --batch-size, --backend and --threads of a Keras model."""
    add = parser.add_argument
    add("--batch-size", type=at_least(1), default=256, help="pictures per batch (default 256)")
    add("--backend", choices=("tensorflow", "jax"), default="tensorflow",
        help="backend of Keras (default tensorflow)")  # fmt: skip
    add("--threads", type=at_least(1, 1024), default=os.cpu_count() or 1,
        help="threads of the backend; their number changes the last digits (default: one "
        "per processor)")  # fmt: skip
