from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facial_expression.dataset.squares import read_squares
from facial_expression.errors import ArchiveError
from tests.helpers import tiny_pictures


def test_pictures_come_by_name_at_the_side_that_is_asked_for(tiny_archive: Path) -> None:
    pictures = tiny_pictures()
    names = ["train/sad/Training_3.png", "test/angry/PublicTest_0.jpg", "train/sad/Training_3.png"]
    found = read_squares(tiny_archive, names, 48)
    assert set(found) == set(names)
    for name, square in found.items():
        expected = np.asarray(Image.open(io.BytesIO(pictures[name])))
        np.testing.assert_array_equal(square, expected)
    larger = read_squares(tiny_archive, names, 96)
    assert {(square.shape, square.dtype) for square in larger.values()} == {
        ((96, 96), np.dtype("u1"))
    }


def test_no_name_is_no_picture(tiny_archive: Path) -> None:
    assert read_squares(tiny_archive, [], 48) == {}


def test_an_unknown_name_is_refused(tiny_archive: Path) -> None:
    with pytest.raises(ArchiveError, match=r"no member 'train/sad/no\.png'; run the index stage"):
        read_squares(tiny_archive, ["train/sad/no.png"], 48)
