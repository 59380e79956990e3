import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facial_expression.core.errors import PipelineError, run
from facial_expression.core.processes import spread
from tests.helpers import one_line

SCRIPT = """
import os, time
from facial_expression.core.processes import pool

def number(_):
    time.sleep(0.2)
    return os.getpid()

if __name__ == "__main__":
    with pool(2) as executor:
        print(*set(executor.map(number, range(4))), flush=True)
        list(executor.map(time.sleep, [600] * 4))
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_the_processes_of_a_pool_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    workers = parent.stdout.readline().split()
    assert workers
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while any((Path("/proc") / str(int(each)) / "cwd").exists() for each in workers):
        assert time.monotonic() < until
        time.sleep(0.05)


def square(number: int) -> int:
    return number**2


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("tasks", [0, 1, 20])
def test_every_task_is_done_once_and_results_come_in_order(workers, tasks):
    done = list(spread(square, iter(range(tasks)), workers))
    assert done == [number**2 for number in range(tasks)]


def square_late(number: int) -> int:
    time.sleep(0.3 if number == 0 else 0)
    return number**2


def test_a_slow_task_holds_back_the_later_ones():
    made = []
    tasks = (made.append(number) or number for number in range(100))
    done = spread(square_late, tasks, 2)
    assert next(done) == 0
    assert len(made) == 4
    assert list(done) == [number**2 for number in range(1, 100)]


def test_tasks_are_made_when_they_are_needed():
    made = []
    tasks = (made.append(number) or number for number in range(100))
    next(spread(square, tasks, 2))
    assert len(made) < 10


def exit_at_once(number: int) -> None:
    os._exit(number)


def test_a_process_that_is_killed_ends_the_work_with_one_line():
    with pytest.raises(PipelineError, match=one_line("process", "killed", "--workers")):
        list(spread(exit_at_once, [1, 2, 3], 2))


def test_without_dask_a_scheduler_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        SystemExit, match=r"^error: .*distributed of the extra dask is not installed"
    ):
        run(lambda: list(spread(square, [1, 2], 2, "tcp://127.0.0.1:9")))
