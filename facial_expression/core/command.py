"""Command lines of stages, tools and benchmarks; `tools.arguments` has what only tools use."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path


def parser(
    name: str, description: str | None, paths: Mapping[str, str] | None = None
) -> argparse.ArgumentParser:
    """The argument parser of `python -m NAME`, whose --help prints `description` unchanged.

    `paths` are required options that take a path, such as `--out`, each with its help.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, text in (paths or {}).items():
        made.add_argument(option, type=Path, required=True, help=text)
    return made


def at_least(lowest: int, highest: int = 2**31 - 1) -> Callable[[str], int]:
    """A type for argparse: whole numbers from `lowest` to `highest`."""

    def number(text: str) -> int:
        if not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(
                f"expected a number of at least {lowest} and at most {highest:,}, found {text}"
            )
        return int(text)

    return number


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
