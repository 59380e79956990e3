"""Processes that share a stage's work: those of this machine, or of a Dask cluster."""

import hashlib
import logging
import multiprocessing
import os
import pickle
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from itertools import islice
from multiprocessing import connection
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from facial_expression.core.errors import PipelineError, reason

Task = TypeVar("Task")
Result = TypeVar("Result")
Pool = tuple[Callable[..., futures.Future[Any]], Callable[[], int]]
"""What takes a function and a task, and how many tasks are done at a time, which may change."""

ANSWER = 10  # seconds in which a scheduler must answer
PATIENCE = 30  # seconds in which it must have a worker, also after all were killed
LIBRARIES = ("numpy", "pillow")  # whose versions may change a decoded picture


def spread(
    work: Callable[[Task], Result], tasks: Iterable[Task], workers: int, scheduler: str = ""
) -> Iterator[Result]:
    """Yield the result of each task, in the order of the tasks.

    At most two tasks a process are waiting, at work or done but not yet yielded.  A task may be
    done more than once.

    Args:
        work: a function of a module.
        tasks: what it is called with; all of it, and the results, must be picklable.
        workers: processes of this machine; one works in this process.
        scheduler: address of a Dask scheduler, whose workers do it instead; empty: none.

    Raises:
        PipelineError: there is no such scheduler, no worker, a worker with other code, or a task
            whose process was killed again and again; and what `work` raises.
    """
    if workers == 1 and not scheduler:
        yield from map(work, tasks)
        return
    waiting, pending = iter(tasks), deque[futures.Future[Result]]()
    with _on(scheduler) if scheduler else _here(workers) as (submit, at_a_time):
        try:
            while True:
                for task in islice(waiting, max(0, 2 * at_a_time() - len(pending))):
                    pending.append(submit(work, task))
                if not pending:
                    return
                if futures.wait([pending[0]], ANSWER).done:
                    yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def pool(processes: int) -> futures.ProcessPoolExecutor:
    """A pool whose processes end with this one, even if that is killed."""
    return futures.ProcessPoolExecutor(processes, initializer=_end_with_parent)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)  # otherwise it would wait for work for ever

    Thread(target=watch, daemon=True).start()


@contextmanager
def _here(workers: int) -> Iterator[Pool]:
    with pool(workers) as processes:
        try:
            yield processes.submit, lambda: workers
        except futures.BrokenExecutor:
            remedy = "free memory or lower --workers, and run again"
            raise PipelineError(f"a process that did the work was killed; {remedy}") from None


@contextmanager
def _on(scheduler: str) -> Iterator[Pool]:
    import distributed

    for name in ("distributed", "distributed.client"):  # what went wrong is said in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)

    ended = f"{scheduler}: the scheduler has ended; start it and run again"

    def call(*packed: bytes) -> Any:  # a function in a function travels as code, not as a name
        from facial_expression.core.processes import perform

        return perform(*packed)

    def submit(*called: Any) -> futures.Future[Any]:
        return executor.submit(call, code().encode(), pickle.dumps(called))

    def at_a_time() -> int:
        try:
            client.wait_for_workers(1, PATIENCE)
        except TimeoutError:
            remedy = f"start some by `python -m dask worker {scheduler}`"
            raise PipelineError(f"{scheduler}: no worker for {PATIENCE} s; {remedy}") from None
        except OSError:
            raise PipelineError(ended) from None
        return sum(client.nthreads().values())

    try:
        client = distributed.Client(scheduler, timeout=ANSWER)
    except (OSError, ValueError) as error:
        fault = f"no Dask scheduler answers at {scheduler!r}: {reason(error)}"
        remedy = "start it, or correct --scheduler (by default $DASK_SCHEDULER_ADDRESS)"
        raise PipelineError(f"{fault}; {remedy}") from None
    with client:
        print(f"dashboard: {client.dashboard_link}", file=sys.stderr)
        executor = client.get_executor(pure=False)
        try:
            yield submit, at_a_time
        except ImportError as error:
            fault = f"a worker of {scheduler} cannot import what it needs: {reason(error)}"
            raise PipelineError(f"{fault}; start it in a clone of this commit") from None
        except distributed.KilledWorker:
            fault = f"{scheduler}: one task ended several workers, one after the other"
            raise PipelineError(f"{fault}; read their logs, or give them more memory") from None
        except futures.CancelledError:
            raise PipelineError(ended) from None


def perform(expected: bytes, packed: bytes) -> Any:
    """What a worker calls: a packed function with its task, if its `code()` is the `expected`."""
    host = f"worker on {socket.gethostname()}"
    if code() != expected.decode():
        raise PipelineError.expected(host, expected.decode(), code(), "start it with the same")
    work, task = pickle.loads(packed)
    try:
        return work(task)
    except PipelineError as error:
        raise type(error)(f"{error} ({host})") from None


@cache
def code() -> str:
    """What this package is, and the libraries that decode: equal where results are equal."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{package.name} {digest.hexdigest()[:8]} with {libraries}"
