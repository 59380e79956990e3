from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from facial_expression.core.errors import TrainingError
from facial_expression.train import checkpoints
from facial_expression.train.checkpoints import State


def test_a_state_survives_the_disk(tmp_path):
    state = State(
        [{"epoch": 1, "loss": 0.1 + 0.2}],
        [np.arange(6.0, dtype=np.float32).reshape(2, 3), np.array(7, np.uint32)],
        [np.ones(2)],
        [np.zeros(3), np.ones(1)],
    )
    checkpoints.write(tmp_path / "key", state)
    read = checkpoints.read(tmp_path / "key")
    assert read is not None
    assert read.history == state.history
    for name in checkpoints.ARRAYS:
        for mine, theirs in zip(getattr(read, name), getattr(state, name), strict=True):
            np.testing.assert_array_equal(mine, theirs)
            assert mine.dtype == theirs.dtype


def test_no_state_reads_as_none(tmp_path):
    assert checkpoints.read(tmp_path / "absent") is None


def test_the_key_follows_bytes_and_parameters(tmp_path):
    folder = tmp_path / "arrays"
    folder.mkdir()
    (folder / "a.npy").write_bytes(b"1")
    before = checkpoints.key_of([folder], {"seed": 0})
    assert checkpoints.key_of([folder], {"seed": 0}) == before
    assert checkpoints.key_of([folder], {"seed": 1}) != before
    (folder / "a.npy").write_bytes(b"2")
    assert checkpoints.key_of([folder], {"seed": 0}) != before


def test_the_folder_goes_when_the_run_succeeds_and_stays_when_it_fails(tmp_path):
    class Killed(Exception):
        pass

    def broken_run() -> None:
        with checkpoints.held(tmp_path, "key") as folder:
            checkpoints.write(folder, State([{"epoch": 1}]))
            raise Killed

    with pytest.raises(Killed):
        broken_run()
    with checkpoints.held(tmp_path, "key") as folder:
        state = checkpoints.read(folder)
        assert state is not None
        assert state.history == [{"epoch": 1}]
    assert list(tmp_path.iterdir()) == []


def _hold(folder, held, release):
    with checkpoints.held(folder, "key"):
        held.set()
        release.wait(30)


def test_a_second_process_is_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    try:
        assert held.wait(30)
        with (
            pytest.raises(TrainingError, match="another process trains"),
            checkpoints.held(tmp_path, "key"),
        ):
            pass
    finally:
        release.set()
        other.join(30)
