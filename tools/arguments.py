"""Arguments that several tools share."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable


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
