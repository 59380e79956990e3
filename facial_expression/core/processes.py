"""Processes that share a stage's work."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from threading import Thread


def pool(processes: int) -> ProcessPoolExecutor:
    """A pool whose processes end with this one, even if that is killed."""
    return ProcessPoolExecutor(processes, initializer=_end_with_parent)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)  # otherwise it would wait for work for ever

    Thread(target=watch, daemon=True).start()
