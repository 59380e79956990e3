import shutil
from pathlib import Path

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
    assert read.history == state.history
    for name in checkpoints.ARRAYS:
        for mine, theirs in zip(getattr(read, name), getattr(state, name), strict=True):
            np.testing.assert_array_equal(mine, theirs)
            assert mine.dtype == theirs.dtype
    assert checkpoints.read(tmp_path / "absent") == State()


@pytest.mark.parametrize("kind", ["empty", "cut", "flipped", "other"])
def test_a_damaged_state_is_set_aside_in_one_line(tmp_path, capsys, kind):
    checkpoints.write(tmp_path, State([{"epoch": 1}], [np.arange(50.0)]))
    path = tmp_path / "state.npz"
    whole = path.read_bytes()
    flipped = bytes(byte ^ (200 < i < 300) for i, byte in enumerate(whole))
    path.write_bytes({"empty": b"", "cut": whole[:-9], "flipped": flipped, "other": b"x"}[kind])
    assert checkpoints.read(tmp_path) == State()
    said = capsys.readouterr().err
    assert said == f"{path}: damaged, kept as state.damaged; training starts anew\n"
    assert [each.name for each in tmp_path.iterdir()] == ["state.damaged"]


@pytest.mark.parametrize("year", [1971, 2110])
def test_a_wrong_clock_does_not_end_training(tmp_path, monkeypatch, year):
    monkeypatch.setattr("time.time", lambda: (year - 1970) * 365.25 * 86400)
    checkpoints.write(tmp_path, State([{"epoch": 1}]))
    assert checkpoints.read(tmp_path).history == [{"epoch": 1}]


def changed(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\n# a remark\n")
    return path


def test_the_key_depends_on_inputs_script_and_parameters(tmp_path):
    def key(seed: int = 0) -> str:
        return checkpoints.key_of([tmp_path / "arrays", tmp_path / "train.py"], {"seed": seed})

    paths = [changed(tmp_path / name) for name in ("train.py", "arrays/train/a.npy")]
    keys = [key(), key(seed=1)]
    assert key() == keys[0]
    for path in paths:
        changed(path)
        keys.append(key())
    (tmp_path / "arrays/train").rename(tmp_path / "arrays/val")
    assert len({*keys, key()}) == len(keys) + 1


def test_only_an_edit_of_the_code_that_training_runs_changes_the_key(tmp_path):
    library = tmp_path / "facial_expression"
    shutil.copytree(checkpoints.LIBRARY, library, ignore=shutil.ignore_patterns("__pycache__"))
    keys = [checkpoints.key_of([], {})]
    assert checkpoints.key_of([], {}, library) == keys[0]
    for name in ("core/arrays.py", "network/resampling.py", "train/fit.py", "train/a/new.py"):
        changed(library / name)
        keys.append(checkpoints.key_of([], {}, library))
    assert len(set(keys)) == len(keys)
    for package in ("export", "evaluate", "plot", "metrics", "inference"):
        changed(next((library / package).glob("*.py")))
    changed(library / "train/__pycache__/fit.pyc")
    changed(library.parent / "tools/predict.py")
    assert checkpoints.key_of([], {}, library) == keys[-1]


def test_the_folder_is_deleted_when_the_run_succeeds_and_kept_when_it_fails(tmp_path):
    def killed_run() -> None:
        with checkpoints.held(tmp_path, "key") as folder:
            checkpoints.write(folder, State([{"epoch": 1}]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed_run()
    with checkpoints.held(tmp_path, "key") as folder:
        state = checkpoints.read(folder)
        assert state.history == [{"epoch": 1}]
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_of_the_same_key_is_refused(tmp_path):
    with (
        checkpoints.held(tmp_path, "key"),
        checkpoints.held(tmp_path, "other"),
        pytest.raises(TrainingError, match="another process trains"),
        checkpoints.held(tmp_path, "key"),
    ):
        pass
