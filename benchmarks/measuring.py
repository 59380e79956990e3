"""Shared by the benchmarks: time and memory of processes, pace of a step, tables of figures.

Only Linux and macOS report the peak memory of a child.  Nothing heavy is imported here: the peak of
a child includes that of the process it was forked from.
"""

import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import psutil

from facial_expression.core.command import processors

SAMPLING = 0.05  # seconds between two looks at the memory of a process tree
MEBI = 1 << 20
MAXRSS = 1 if sys.platform == "darwin" else 1024  # bytes of a unit of ru_maxrss
WARM_UP, FEWEST = 2, 3  # steps of `pace` before the clock starts, and at least after it
ROOT = Path(__file__).resolve().parents[1]  # of the repository


@dataclass(frozen=True)
class Measured:
    """One run of a command: wall seconds, CPU seconds of all processes, bytes of the largest one.

    Other work on the machine changes CPU seconds less.  Linux counts no less memory than the
    process has that starts the command: start it from a small one.
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
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS)


def peak_memory() -> int:
    """The peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a new process, whose memory and imports go with it."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def pace(step: Callable[[], Any], pictures: int, seconds: float) -> float:
    """Pictures a second of a step on so many pictures, repeated for about `seconds`.

    The median step counts, so that short bursts of other work do not.  Some steps before the clock
    starts warm up: the first one may build a graph.
    """
    for _ in range(WARM_UP):
        step()
    times: list[float] = []
    while len(times) < FEWEST or sum(times) < seconds:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return pictures / median(times)


def verdict(values: Iterable[float], limit: float) -> str:
    """Whether the median of some figures keeps a target that it may not exceed.

    >>> verdict([1.0, 2.0, 9.0], limit=2)
    'met'
    """
    return "met" if median(values) <= limit else "MISSED"


def deviating(values: Iterable[float], decimals: int) -> str:
    """Mean and standard deviation (of a sample) of some figures; one figure has none.

    >>> deviating([1.0, 2.0, 3.0], 1), deviating([2.0], 1)
    ('2.0 ± 1.0', '2.0')
    """
    figures = list(values)
    text = f"{mean(figures):,.{decimals}f}"
    return f"{text} ± {stdev(figures):.{decimals}f}" if len(figures) > 1 else text


def ranging(values: Iterable[float], decimals: int) -> str:
    """Median and range of some figures, for a cell of a table.

    >>> ranging([3.0, 1.0, 2.0], 1)
    '2.0 (1.0 to 3.0)'
    """
    figures = list(values)
    low, middle, high = min(figures), median(figures), max(figures)
    return f"{middle:,.{decimals}f} ({low:,.{decimals}f} to {high:,.{decimals}f})"


def describe_machine(packages: Sequence[str]) -> str:
    """The processor, the cores that this process may use, memory, and versions, in one line."""
    memory = psutil.virtual_memory().total / (1 << 30)
    versions = "".join(f", {name} {version(name)}" for name in packages)
    return (
        f"{_processor()}, {processors()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}{versions}"
    )


def watched(command: Sequence[str | Path], folder: Path) -> tuple[Measured, int]:
    """As `timed`; and the peak memory in bytes of the command and all its children together.

    Sampled, on Linux with shared pages divided among the processes (PSS).  The longer it runs, the
    more rarely: that costs some 1 % of its time.

    Raises:
        SystemExit: the command failed.
    """
    started, peak = time.perf_counter(), 0
    with _running(command, folder) as process:
        tree = psutil.Process(process.pid)
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            with suppress(psutil.NoSuchProcess):  # it has just ended
                peak = max(peak, sum(map(_memory, [tree, *tree.children(recursive=True)])))
            time.sleep(max(SAMPLING, (time.perf_counter() - started) / 500))
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(ended[1])
    usage = ended[2]
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS), peak


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


def _memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except psutil.Error:  # it has just ended
        return 0
    return int(getattr(info, "pss", info.rss))


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    text = table.read_text(encoding="utf-8") if table.exists() else ""
    names = re.findall(r"^model name\s*: (.*)$", text, re.M)
    return names[0] if names else platform.processor() or platform.machine()
