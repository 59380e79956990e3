import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
