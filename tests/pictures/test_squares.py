import io

import numpy as np
import pytest
from PIL import Image

from facial_expression.core.errors import ArchiveError
from facial_expression.pictures.squares import read_squares
from tests.helpers import tiny_pictures

NAMES = ["train/sad/Training_3.png", "test/angry/PublicTest_0.jpg", "train/sad/Training_3.png"]


def test_pictures_come_in_the_order_and_at_the_side_that_is_asked_for(tiny_archive):
    pictures = tiny_pictures()
    found = read_squares(tiny_archive, NAMES, 48)
    expected = [np.asarray(Image.open(io.BytesIO(pictures[name]))) for name in NAMES]
    np.testing.assert_array_equal(found, expected)
    larger = read_squares(tiny_archive, NAMES, 96)
    assert (larger.shape, larger.dtype) == ((3, 96, 96), np.uint8)
    assert read_squares(tiny_archive, [], 48).shape == (0, 48, 48)


def test_an_unknown_name_is_refused(tiny_archive):
    with pytest.raises(ArchiveError, match=r"no member 'train/sad/no\.png'; run the index stage"):
        read_squares(tiny_archive, ["train/sad/no.png"], 48)
