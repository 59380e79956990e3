import io
import shutil
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks import archives
from facial_expression.pictures.images import decode, is_picture_file
from tests.helpers import tiny_pictures


def test_enlarge_adds_distinct_pictures_under_the_same_split_and_class(tiny_archive, tmp_path):
    archives.enlarge(tiny_archive, tmp_path / "many.zip", times=4)
    shutil.unpack_archive(tmp_path / "many.zip", tmp_path / "files")
    files = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    names = {str(path.relative_to(tmp_path / "files")) for path in files}
    assert len(names) == 4 * len(tiny_pictures())
    assert names > set(tiny_pictures())
    assert all(is_picture_file(path) for path in files)
    assert len({decode(path.read_bytes()).fingerprint for path in files}) == len(files)
    assert {path.parent for path in files} == {
        tmp_path / "files" / Path(name).parent for name in tiny_pictures()
    }


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 60), st.data())
def test_variant_changes_exactly_one_pixel(width, height, number, data):
    pixels = data.draw(st.binary(min_size=width * height, max_size=width * height))
    image = Image.open(io.BytesIO(archives.variant((width, height), pixels, number)))
    before = np.frombuffer(pixels, np.uint8).reshape(height, width)
    assert image.size == (width, height)
    assert np.count_nonzero(np.asarray(image) != before) == 1
