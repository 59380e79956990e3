from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core import saliency_file
from facial_expression.core.errors import DatasetError

CASES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40)


def labels(cases: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    actual, predicted = (np.array([case[i] for case in cases], np.int64) for i in (0, 1))
    return actual, predicted


@given(CASES, st.integers(1, 4), st.integers(0, 9))
def test_the_choice_is_of_every_class_and_kind_in_that_order(cases, per_class, seed):
    actual, predicted = labels(cases)
    rows, kinds = saliency_file.choose(actual, predicted, 3, per_class, seed)
    assert len(set(rows.tolist())) == len(rows)
    assert [int(cases[row][0] != cases[row][1]) for row in rows] == kinds.tolist()
    order = [(cases[row][0], kind, row) for row, kind in zip(rows, kinds, strict=True)]
    assert order == sorted(order)
    there = Counter((case[0], int(case[0] != case[1])) for case in cases)
    found = Counter(item[:2] for item in order)
    assert found == {key: min(number, per_class) for key, number in there.items()}
    again = saliency_file.choose(actual, predicted, 3, per_class, seed)
    np.testing.assert_array_equal(again, (rows, kinds))


def test_another_seed_is_another_choice_and_classes_do_not_depend_on_each_other():
    actual = np.arange(300) % 3
    first, other = (saliency_file.choose(actual, actual, 3, 4, seed)[0] for seed in (0, 1))
    assert first.tolist() != other.tolist()
    predicted = actual.copy()
    predicted[actual == 0] = 1  # all of class 0 are wrong now
    changed, kinds = saliency_file.choose(actual, predicted, 3, 4, 0)
    assert kinds.tolist() == [1] * 4 + [0] * 8
    assert changed[4:].tolist() == first[4:].tolist()


@pytest.fixture
def some() -> saliency_file.Saliency:
    maps = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    return saliency_file.Saliency(np.array([5, 1, 7]), np.array([0, 0, 1]), maps)


def test_what_is_written_is_read(some, tmp_path):
    saliency_file.write(tmp_path / "saliency.npz", some)
    found = saliency_file.read(tmp_path / "saliency.npz")
    for name, array in vars(some).items():
        np.testing.assert_array_equal(getattr(found, name), array)
        assert getattr(found, name).dtype == array.dtype


def test_the_clock_stands_in_no_byte(some, tmp_path, monkeypatch):
    saliency_file.write(tmp_path / "now.npz", some)
    monkeypatch.setattr("time.time", lambda: 2e9)
    saliency_file.write(tmp_path / "later.npz", some)
    assert (tmp_path / "now.npz").read_bytes() == (tmp_path / "later.npz").read_bytes()


@pytest.mark.parametrize("damage", ["missing", "empty", "words", "cut", "npy", "other"])
def test_what_is_no_such_file_is_refused_in_one_line(some, tmp_path, damage):
    path = tmp_path / "saliency.npz"
    saliency_file.write(path, some)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "npy":
        with path.open("wb") as stream:
            np.save(stream, some.maps)
    elif damage == "other":
        np.savez(path, rows=some.rows)
    else:
        path.write_bytes({"empty": b"", "words": b"words", "cut": whole[:-100]}[damage])
    with pytest.raises(DatasetError, match=r"saliency\.npz: .* run evaluate again") as caught:
        saliency_file.read(path)
    assert "\n" not in str(caught.value)
