"""The one argument parser of stages, tools and benchmarks, and the types of their arguments."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

RELEASED = Path(__file__).parents[2] / "released" / "expression.onnx"
"""The network that predicts unless another one is named, wherever the command is given."""


def parser(
    name: str, description: str | None, paths: Mapping[str, str] | None = None
) -> argparse.ArgumentParser:
    """The argument parser of `python -m NAME`.

    Args:
        name: of the module, such as `stages.index`.
        description: printed by --help as it stands; a module's docstring.
        paths: required options that take a path, such as `--out`, each with its help.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, text in (paths or {}).items():
        made.add_argument(option, type=Path, required=True, help=text)
    return made


def at_least(lowest: int) -> Callable[[str], int]:
    """A type for argparse: a whole number from `lowest` on."""

    def number(text: str) -> int:
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"expected a number from {lowest} on, found {text}")
        return int(text)

    return number


def positive_float(text: str) -> float:
    """A finite number above 0, for argparse."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return number


def share(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, found {text}")
    return number


def new_file(text: str) -> Path:
    """A file to write, for argparse: what is there, if anything, is a file.

    Files are written beside their place and then moved there, which must not happen to a device.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file, found the folder {text}")
    if path.exists() and not path.is_file():
        raise argparse.ArgumentTypeError(f"expected a file, found the device or pipe {text}")
    return path


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def add_prediction(parser: argparse.ArgumentParser) -> None:
    """Add --batch-size, --backend and --threads."""
    parser.add_argument(
        "--batch-size", type=at_least(1), default=256, help="pictures a pass (default 256)"
    )
    parser.add_argument(
        "--backend",
        choices=("tensorflow", "jax", "torch"),
        default="tensorflow",
        help="of Keras (default tensorflow)",
    )
    parser.add_argument(
        "--threads",
        type=at_least(1),
        default=os.cpu_count() or 1,
        help="of the backend; their number changes the last digits (default: one a processor)",
    )
