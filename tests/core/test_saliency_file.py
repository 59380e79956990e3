from __future__ import annotations

import numpy as np
import pytest

from facial_expression.core import saliency_file
from facial_expression.core.errors import DatasetError


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
