"""Shared by the benchmarks: time and memory of whole processes, and figures with their spread.

Only Linux and macOS report the peak memory of a child.  Nothing heavy is imported here: the peak of
a child includes that of the process it was forked from.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil  # type: ignore[import-untyped]

from facial_expression.core.command import processors

SAMPLING = 0.05  # seconds between two looks at the memory of a process tree
MEBI = 1 << 20
ROOT = Path(__file__).resolve().parents[1]  # of the repository


@dataclass(frozen=True)
class Measured:
    """One run of a command.

    Attributes:
        seconds: on the wall clock.
        cpu: CPU seconds, over all processes; other work on the machine changes them less.
        largest: peak memory in bytes of the largest process.
    """

    seconds: float
    cpu: float
    largest: int


def timed(command: Sequence[str | Path], folder: Path) -> Measured:
    """Run a command in `folder` to its end and measure it; if it fails, its errors are shown.

    Raises:
        SystemExit: the command failed.
    """
    started = time.perf_counter()
    with _running(command, folder) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def tree_peak(command: Sequence[str | Path], folder: Path) -> int:
    """Run a command and return the peak memory in bytes of it and all its children together.

    Sampled; on Linux shared pages are divided among the processes (PSS).  Sampling costs time, so
    such a run is not timed.

    Raises:
        SystemExit: the command failed.
    """
    peak = 0
    with _running(command, folder) as process:
        while process.poll() is None:
            peak = max(peak, _tree_memory(process.pid))
            time.sleep(SAMPLING)
    return peak


def repeated(command: Sequence[str | Path], folder: Path, repeats: int) -> list[float]:
    """Seconds of `repeats` runs of a command, after one more that warms the caches up."""
    timed(command, folder)
    return [timed(command, folder).seconds for _ in range(repeats)]


def spread(values: Iterable[float], unit: str = "s") -> str:
    """Median, range and number of some figures.

    >>> spread([3.0, 1.0, 2.0])
    '2.00 s (1.00 to 3.00, n = 3)'
    """
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    return f"{median(ordered):.2f} {unit} ({low:.2f} to {high:.2f}, n = {len(ordered)})"


def ratio(numerator: Iterable[float], denominator: Iterable[float]) -> float:
    """How many times larger the first median is than the second."""
    return median(numerator) / median(denominator)


def growth(few: float, many: float, n_few: int, n_many: int) -> float:
    """By how much a figure grows with each thing more, measured at two numbers of things.

    >>> growth(few=100, many=1000, n_few=10, n_many=100)
    10.0
    """
    return (many - few) / (n_many - n_few)


def verdict(values: Iterable[float], limit: float) -> str:
    """Whether the median of some figures keeps a target that it may not exceed.

    >>> verdict([1.0, 2.0, 9.0], limit=2)
    'met'
    """
    return "met" if median(values) <= limit else "MISSED"


def describe_machine(packages: Sequence[str]) -> str:
    """The processor, the cores that this process may use, memory, and versions, in one line."""
    memory = psutil.virtual_memory().total / (1 << 30)
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{_processor()}, {processors()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


@contextmanager
def _running(command: Sequence[str | Path], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A started command, which must have ended well when the block is left."""
    here = str(Path(sys.executable).parent)  # so that `python` in dvc.yaml is this Python
    environment = {**os.environ, "PATH": os.pathsep.join([here, os.environ.get("PATH", "")])}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        yield process
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            line = " ".join(map(str, command))
            sys.exit(f"error: exit code {process.returncode} from {line}: {said[-2000:]}")


def _tree_memory(pid: int) -> int:
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_memory, tree))


def _memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except psutil.Error:  # it has just ended
        return 0
    return int(getattr(info, "pss", info.rss))


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
