"""Command lines of stages, tools and benchmarks; `tools.arguments` has what only tools use."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from facial_expression.core.files import place

COMMAND = "facial-expression"  # the script that pyproject.toml installs


def parser(
    name: str, description: str | None, paths: Mapping[str, str] | None = None
) -> argparse.ArgumentParser:
    """The argument parser of `python -m NAME`, whose --help prints `description`.

    Where the installed command `facial-expression` runs, both name that instead.
    `paths` are required options that take a path, such as `--out`, each with its help.
    """
    command = f"python -m {name}"
    if Path(sys.argv[0]).stem == COMMAND:
        command = f"{COMMAND} {name.partition('.')[2]}".strip()
    made = argparse.ArgumentParser(
        prog=command,
        description=description and description.replace(f"python -m {name}", command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, text in (paths or {}).items():
        made.add_argument(option, type=Path, required=True, help=text)
    return made


def spreading(
    name: str, description: str | None, paths: Mapping[str, str], stores: Mapping[str, str]
) -> argparse.ArgumentParser:
    """The `parser` of a stage whose work can be spread over processes and machines.

    `stores` are like `paths`, and may be addresses in a store.
    """
    made = parser(name, description, paths)
    for option, text in stores.items():
        made.add_argument(option, type=place, required=True, help=f"{text}; or s3://bucket/...")
    made.add_argument("--workers", type=at_least(1, 1024), default=processors(), help="processes")
    made.add_argument(
        "--scheduler",
        default=os.environ.get("DASK_SCHEDULER_ADDRESS", ""),
        metavar="ADDRESS",
        help="of Dask, whose workers work instead (default: $DASK_SCHEDULER_ADDRESS)",
    )
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
