import sys
import time

import pytest

from benchmarks import measuring

ALLOCATE = "data = bytearray(100 << 20); data[::4096] = b'x' * len(data[::4096])"


def test_the_pace_is_pictures_over_the_median_step(monkeypatch):
    clock = iter([0.0, 0.1, 1.0, 1.1, 2.0, 9.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert measuring.pace(lambda: None, pictures=50, seconds=0.25) == pytest.approx(500)


def test_timed_measures_the_child_and_not_this_process(tmp_path):
    started = time.perf_counter()
    idle = measuring.timed([sys.executable, "-S", "-c", "pass"], tmp_path)
    assert 0 < idle.seconds < time.perf_counter() - started
    assert idle.cpu > 0
    large = measuring.timed([sys.executable, "-S", "-c", ALLOCATE], tmp_path)
    assert large.largest >= 100 * measuring.MEBI


def test_the_memory_of_children_is_added_up(tmp_path):
    child = f"import time; {ALLOCATE}; time.sleep(.5)"
    both = (
        "import subprocess, sys; "
        f"[p.wait() for p in [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in 'ab']]"
    )
    assert measuring.watched([sys.executable, "-c", both], tmp_path)[1] >= 190 * measuring.MEBI


def test_a_failed_command_ends_the_benchmark_with_what_it_said(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no such luck')"]
    with pytest.raises(SystemExit, match=r"exit code 1 .*no such luck"):
        measuring.timed(command, tmp_path)
