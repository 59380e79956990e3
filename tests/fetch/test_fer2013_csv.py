import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_expression.core.errors import ArchiveError
from facial_expression.core.labels import FER2013_IDS
from facial_expression.fetch.layouts import fer2013_csv

FLAT = " ".join(["7"] * 2304)
USAGES = ["Training", "PublicTest", "PrivateTest"]


def table(*rows: str, header: str = "emotion,pixels,Usage") -> io.BytesIO:
    return io.BytesIO("\n".join([header, *rows]).encode())


@given(
    seed=st.integers(0, 2**32 - 1),
    emotion=st.integers(0, 6),
    usage=st.sampled_from(USAGES),
    row=st.integers(0, 3),
)
def test_a_row_comes_back_pixel_by_pixel(seed, emotion, usage, row):
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)
    before = [f"3,{FLAT},Training"] * row
    text = " ".join(str(value) for value in pixels.ravel())
    name, content = list(fer2013_csv.pictures(table(*before, f"{emotion},{text},{usage}"), "t"))[
        row
    ]
    folder = "train" if usage == "Training" else "test"
    assert name == f"{folder}/{FER2013_IDS[emotion]}/{usage}_{row}.pgm"
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_are_found_by_name_with_a_byte_order_mark_and_windows_lines(mark):
    content = f"\ufeffUsage, pixels ,emotion\r\nPublicTest,{FLAT},6\r\n".replace(",", mark).encode()
    [(name, _)] = fer2013_csv.pictures(io.BytesIO(content), "t")
    assert name == "test/neutral/PublicTest_0.pgm"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (f"7,{FLAT},Training", r"expected an emotion 0\.\.6, .* found '7'"),
        (f"-1,{FLAT},Training", "found '-1'"),
        (f"3,{FLAT},Validation", "a Usage of .* found 'Validation'"),
        (f"3,{FLAT} 7,Training", "expected 2304 pixels, found 2305"),
        (f"3,{FLAT[2:]},Training", "expected 2304 pixels, found 2303"),
        (f"3,256 {FLAT[2:]},Training", r"pixels 0\.\.255 .* found '256'"),
        (f"3,-1 {FLAT[2:]},Training", "found '-1'"),
        (f"3,1.0 {FLAT[2:]},Training", r"found '1\.0'"),
        ("3,7 7", "expected 3 columns, found 2"),
        ("3," + "7" * 200_000 + ",Training", "t: "),
    ],
)
def test_a_bad_row_is_named(row, fault):
    with pytest.raises(ArchiveError, match=fault) as caught:
        list(fer2013_csv.pictures(table(f"0,{FLAT},Training", row), "t"))
    assert "row 1 (line 3)" in str(caught.value)


def test_other_columns_are_refused():
    with pytest.raises(ArchiveError, match="expected the columns emotion, pixels, found 'a, b'"):
        list(fer2013_csv.pictures(table("1,2", header="a,b"), "t"))
