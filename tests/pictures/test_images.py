import contextlib
import hashlib
import io
import random
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ImageError
from facial_expression.pictures import archive, images
from facial_expression.pictures.images import FORMATS, HEAD, decode, format_of, square
from tests.helpers import encoded, one_line

LOSSLESS = ["PNG", "BMP", "TIFF", "PPM", "GIF"]
Pixels = NDArray[np.uint8]


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


def luma(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """ITU-R BT.601, written out."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    return 0.299 * r + 0.587 * g + 0.114 * b


def over_white(rgb: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.float64]:
    a = alpha[..., None] / 255
    return rgb * a + 255 * (1 - a)


def assert_close(found: Any, expected: NDArray[Any], levels: float) -> None:
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(np.asarray(found, float), expected, rtol=0, atol=levels)


def assert_decoded(data: bytes, mode: str, rgb: NDArray[Any], levels: float = 0.0) -> None:
    """The file has the mode; its colours are `rgb` (H, W, 3), and its grey is their luma."""
    picture = decode(data)
    assert picture.mode == mode
    assert picture.rgb.mode == "RGB"
    assert_close(picture.rgb, rgb, levels)
    assert_close(picture.grey, luma(rgb), levels + 1)
    np.testing.assert_array_equal(picture.rgb.convert("L"), picture.grey)


def three(grey: NDArray[Any]) -> NDArray[Any]:
    return np.dstack([grey] * 3)


greys = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
colours = greys.flatmap(lambda a: hnp.arrays(np.uint8, (*a.shape, 3)))


# Every mode: its colours, and their grey


@given(pixels=greys, kind=st.sampled_from(LOSSLESS))
def test_grey_is_untouched_whatever_the_format(pixels, kind):
    data = encoded(Image.fromarray(pixels), kind)
    assert_decoded(data, "P" if kind == "GIF" else "L", three(pixels))
    np.testing.assert_array_equal(np.asarray(decode(data).grey), pixels)


@given(colours)
def test_colours_are_those_of_the_file(pixels):
    assert_decoded(encoded(Image.fromarray(pixels)), "RGB", pixels)


@given(rgb=colours, data=st.data())
def test_transparency_lies_over_white(rgb, data):
    alpha = data.draw(hnp.arrays(np.uint8, rgb.shape[:2]))
    coloured = encoded(Image.fromarray(np.dstack([rgb, alpha])))
    assert_decoded(coloured, "RGBA", over_white(rgb, alpha), levels=1)
    grey = encoded(Image.fromarray(np.dstack([rgb[..., 0], alpha]), mode="LA"))
    assert_decoded(grey, "LA", over_white(three(rgb[..., 0]), alpha), levels=1)


def test_tall_pictures_lie_over_white_to_the_last_row():
    height = 2 * images.STRIP + 5
    rgb, alpha = noise(height, 3, 3), noise(height, 3)
    data = encoded(Image.fromarray(np.dstack([rgb, alpha])))
    assert_decoded(data, "RGBA", over_white(rgb, alpha), levels=1)


@pytest.mark.parametrize(
    ("transparency", "alpha"),
    [(None, [255] * 4), (3, [255, 255, 255, 0]), (bytes([0, 128, 255, 7]), [0, 128, 255, 7])],
)
def test_a_palette_becomes_its_colours(transparency, alpha):
    indices, palette = noise(9, 7) % 4, noise(4, 3)
    image = Image.fromarray(indices, mode="P")
    image.putpalette(palette.tobytes())
    data = encoded(image) if transparency is None else encoded(image, transparency=transparency)
    assert_decoded(data, "P", over_white(palette, np.array(alpha))[indices], levels=1)


def test_one_transparent_level_or_colour_becomes_white():
    grey, rgb = noise(8, 8), noise(8, 8, 3)
    data = encoded(Image.fromarray(grey), transparency=int(grey[0, 0]))
    assert_decoded(data, "L", three(np.where(grey == grey[0, 0], 255, grey)))
    key = tuple(rgb[0, 0].tolist())
    white = np.where((rgb == key).all(-1, keepdims=True), 255, rgb)
    assert_decoded(encoded(Image.fromarray(rgb), transparency=key), "RGB", white)


def test_bilevel_is_black_and_white():
    pixels = noise(9, 11) > 127
    assert_decoded(encoded(Image.fromarray(pixels)), "1", three(pixels * np.uint8(255)))


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B"), ("PPM", "I")]
)
def test_sixteen_bits_keep_the_high_byte(kind, mode):
    pixels = np.array([[0, 255, 256], [32768, 65279, 65535]], ">u2" if mode == "I;16B" else "<u2")
    image = Image.frombytes("I;16B" if mode == "I;16B" else "I;16", (3, 2), pixels.tobytes())
    expected = np.array([[0, 0, 1], [128, 254, 255]])
    assert_decoded(encoded(image, kind), mode, three(expected))


def test_printers_colours_become_what_they_print():
    cmyk = noise(8, 8, 4)
    ink = cmyk.astype(float) / 255
    printed = 255 * (1 - ink[..., :3]) * (1 - ink[..., 3:])
    data = encoded(Image.fromarray(cmyk, mode="CMYK"), "TIFF")
    assert_decoded(data, "CMYK", printed, levels=2)
    white = encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")  # often stored inverted
    assert_decoded(white, "CMYK", np.full((16, 16, 3), 255), levels=2)


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.fromarray(np.full((6, 6), level, np.uint8)) for level in (10, 200, 90)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert Image.open(io.BytesIO(data)).n_frames == 3  # type: ignore[attr-defined]
    assert_decoded(data, "P", np.full((6, 6, 3), 10))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation, mode):
    upright = noise(5, 9, 3)
    # how a camera stores the upright picture under each orientation (EXIF 2.32, tag 0x0112)
    stored = {
        1: upright,
        2: np.fliplr(upright),
        3: np.rot90(upright, 2),
        4: np.flipud(upright),
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored)).convert(mode)
    expected = np.asarray(Image.fromarray(upright).convert(mode).convert("RGB"))
    assert_decoded(encoded(image, exif=exif), mode, expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("exif", [b"garbage", b"MM\x00*\x00\x00\x00\x08\x00\x05\x01\x12"])
def test_broken_exif_does_not_spoil_a_whole_picture(exif):
    image = Image.fromarray(np.full((8, 8), 77, np.uint8))
    data = encoded(image, "JPEG", exif=b"Exif\x00\x00" + exif)
    assert (np.asarray(decode(data).grey) == 77).all()


# The square


@given(pixels=greys, side=st.integers(1, 64))
def test_any_size_becomes_a_square_within_the_range_of_its_pixels(pixels, side):
    flat = np.full_like(pixels, 93)
    assert square(decode(encoded(Image.fromarray(pixels))), side).shape == (side, side)
    assert (square(decode(encoded(Image.fromarray(flat))), side) == 93).all()


@given(pixels=greys)
def test_where_only_the_edges_stand_out_they_are_cut_off(pixels):
    height, width = pixels.shape
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    found = square(decode(encoded(Image.fromarray(pixels))), edge)
    np.testing.assert_array_equal(found, pixels[top : top + edge, left : left + edge])
    assert found.dtype == np.uint8


def test_a_photograph_is_antialiased():
    stripes = np.zeros((3000, 4000, 3), np.uint8)
    stripes[:, ::2] = 255  # one pixel wide: what picks pixels gives black or white stripes
    found = square(decode(encoded(Image.fromarray(stripes), "JPEG", quality=95)), 48)
    assert_close(found, np.full((48, 48), 127.5), levels=2)


def test_a_very_large_jpeg_is_read_at_half_its_size(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 95 * 64 - 1)
    smooth = Image.fromarray(noise(6, 5)).resize((95, 64), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by viewers
    found = decode(encoded(smooth, "JPEG", quality=100, exif=exif))
    assert (found.size, found.upright.size) == ((64, 95), (32, 48))
    halved = smooth.resize((48, 32), Image.Resampling.BOX).transpose(Image.Transpose.ROTATE_270)
    assert np.abs(np.asarray(found.grey, float) - np.asarray(halved)).mean() < 2
    for kind, more in (("JPEG", {"progressive": True}), ("PNG", {})):
        with pytest.raises(ImageError, match="95x64 pixels, at most 6079 allowed in " + kind):
            decode(encoded(smooth, kind, **more))


def test_threads_have_one_large_picture_at_a_time(monkeypatch):
    monkeypatch.setattr(images, "LARGE", 7 * 7)
    large, small = (encoded(Image.new("L", (side, side))) for side in (8, 7))
    together, using = threading.Barrier(2), threading.Lock()

    @images.in_turn()
    def use(data: bytes) -> None:
        decode(data)
        if data == small:
            together.wait(60)  # both are in their block
            return
        assert using.acquire(blocking=False)
        decode(data)  # another one in the same block
        time.sleep(0.01)
        using.release()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(use, [small] * 2 + [large] * 6 + [small] * 2))


# The fingerprint


@given(pixels=greys)
def test_equal_pixels_have_equal_fingerprints_in_every_format(pixels):
    height, width = pixels.shape
    expected = hashlib.sha256(struct.pack("<II", width, height) + pixels.tobytes()).hexdigest()
    files = [encoded(Image.fromarray(pixels), kind) for kind in LOSSLESS]
    files.append(encoded(Image.fromarray(pixels).convert("RGBA"), "WEBP", lossless=True))
    assert {decode(file).fingerprint for file in files} == {expected}


# What cannot be decoded


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a picture"),
        (b"these are words, not a picture\n" * 9, "not a picture"),
        (b"\xff\xd8\xff", "not a picture"),
        (encoded(Image.fromarray(noise(48, 48)), "JPEG")[:-400], "truncated"),
        (encoded(Image.fromarray(noise(48, 48)), "PNG")[:-800], "truncated"),
        (encoded(Image.fromarray(noise(48, 48, 3)), "WEBP")[:-100], ""),
        (png_header(10_001, 10_000), f"10001x10000 pixels, at most {images.MAX_PIXELS} allowed"),
        (png_header(60_000, 60_000), "decompression bomb"),
        (encoded(Image.fromarray(np.zeros((3, 3), np.float32)), "TIFF"), "floating-point"),
        (encoded(Image.fromarray(noise(8, 8)), "EPS"), "not a picture of a known format"),
    ],
    ids=range(10),  # bytes are too long
)
def test_what_is_no_whole_picture_gives_its_reason_in_one_line(data, reason):
    with pytest.raises(ImageError, match=one_line(reason)) as caught:
        decode(data)
    assert "0x" not in str(caught.value), "an address would differ from run to run"


WHOLE = [
    *(encoded(Image.fromarray(noise(20, 30, 3)), kind) for kind in ("JPEG", *LOSSLESS, "WEBP")),
    encoded(Image.fromarray(noise(20, 30)).convert("P"), "PNG", transparency=3),
    *(encoded(Image.fromarray(noise(20, 30, 3)), kind) for kind in ("AVIF",) if kind in FORMATS),
]


@given(data=st.data())
def test_damage_gives_a_picture_or_our_error_and_nothing_else(data):
    damaged = bytearray(data.draw(st.sampled_from(WHOLE)))
    draw = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(draw.randrange(1, 6)):
        damaged[draw.randrange(min(len(damaged), draw.choice((80, 10**6))))] = draw.randrange(256)
    kept = bytes(damaged[: draw.choice((len(damaged), 60, 700))])
    with contextlib.suppress(ImageError):
        assert square(decode(kept), 8).shape == (8, 8)


@pytest.mark.parametrize("suffix", archive.SUFFIXES)
def test_the_content_says_that_a_file_is_a_picture(suffix):
    data = encoded(Image.fromarray(noise(8, 8)), Image.registered_extensions()[suffix])
    assert format_of(data[:HEAD]) in FORMATS
    assert decode(data).grey.size == (8, 8)


@pytest.mark.parametrize(
    "head",
    [b"", b"BM25 ranks documents by the words in them", b"P5", b"GIF is a format", b"PK\3\4"],
)
def test_other_files_are_no_pictures(head):
    assert format_of(head) not in FORMATS


@pytest.mark.extra
def test_heic_is_read_where_the_extra_is_installed():
    heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (64, 48), (200, 30, 30))).save(stream)
    assert format_of(stream.getvalue()[:HEAD]) == "HEIF"
    assert_close(decode(stream.getvalue()).rgb, np.full((48, 64, 3), (200, 30, 30)), 4)


def test_heic_without_the_extra_names_it(monkeypatch):
    monkeypatch.setattr(images, "FORMATS", ("JPEG",))
    with pytest.raises(ImageError, match="install the extra heic"):
        decode(b"\0\0\0\x18ftypheic" + bytes(20))


def test_a_progressive_jpeg_of_many_scans_is_refused():
    data = encoded(Image.new("L", (64, 64)), "JPEG", progressive=True)
    assert decode(data).size == (64, 64)
    start = data.rindex(b"\xff\xda")  # the last scan, without the end of the file
    with pytest.raises(ImageError, match=r"\d+ scans, at most 100 allowed"):
        decode(data[:-2] + 100 * data[start:-2] + data[-2:])
