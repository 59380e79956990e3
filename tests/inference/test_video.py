import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from facial_expression.core.errors import ImageError, ParameterError, SourceError
from facial_expression.inference import video as video_module
from facial_expression.inference.video import camera, video
from tests.helpers import make_video, noise_video

FRAMES, SHADE = 10, 20
ONE = 0x10000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ten frames, each with more red than the one before."""
    path = tmp_path_factory.mktemp("video") / "clip %d.avi"  # no pattern of numbered files
    shades = [np.full((48, 64, 3), (SHADE * number, 0, 0), np.uint8) for number in range(FRAMES)]
    return str(make_video(path, shades))


def reds(path: str, **options: int) -> list[tuple[int | None, int]]:
    """Number and rounded shade of red of each frame."""
    found = []
    for source in video(path, **options):
        picture = source.read()
        assert (picture.upright.mode, picture.upright.size) == ("RGB", (64, 48))
        red, _, blue = np.asarray(picture.rgb).mean(axis=(0, 1))
        assert blue < 10
        found.append((source.frame, round(red / SHADE)))
    return found


def test_all_frames_every_nth_frame_and_a_limit(clip):
    assert reds(clip) == [(number, number) for number in range(FRAMES)]
    assert reds(clip, every=3) == [(0, 0), (3, 3), (6, 6), (9, 9)]
    assert reds(clip, every=4, limit=2) == [(0, 0), (4, 4)]
    for wrong in ({"every": 0}, {"limit": 0}):
        with pytest.raises(ParameterError, match="expected at least 1, found 0"):
            reds(clip, **wrong)


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mpegts", "libx264"), ("matroska", "libx264"), ("3gp", "mpeg4"), ("asf", "wmv2")],
)
def test_seconds_are_those_of_a_variable_frame_rate_whatever_the_name(tmp_path, container, codec):
    times = [0, 40, 1000, 1040, 5000, 9000]
    shades = [np.full((144, 176, 3), 30 * number, np.uint8) for number in range(len(times))]
    path = make_video(tmp_path / "no suffix", shades, codec, container, times)
    found = list(video(str(path)))
    assert [source.frame for source in found] == list(range(len(times)))
    np.testing.assert_allclose(
        [source.seconds for source in found], np.divide(times, 1000), atol=2e-3
    )
    light = [np.asarray(source.read().grey).mean() for source in found]
    assert np.diff(light).min() > 15


def corner(path: Path) -> tuple[tuple[int, int], tuple[bool, bool]]:
    """Size of the first frame, and whether its lightest quarter is at the right and below."""
    grey = next(video(str(path))).read().grey
    place = np.argmax(np.asarray(grey.resize((2, 2))))
    return grey.size, (bool(place % 2), bool(place // 2))


@pytest.mark.parametrize(
    ("matrix", "size", "place"),
    [
        ((1, 0, 0, 1), (64, 32), (False, False)),
        ((-1, 0, 0, 1), (64, 32), (True, False)),  # mirrored, as selfies are
        ((1, 0, 0, -1), (64, 32), (False, True)),
        ((-1, 0, 0, -1), (64, 32), (True, True)),
        ((0, 1, -1, 0), (32, 64), (True, False)),  # an upright phone: clockwise
        ((0, -1, 1, 0), (32, 64), (False, True)),
        ((0, 1, 1, 0), (32, 64), (False, False)),
        ((0, -1, -1, 0), (32, 64), (True, True)),
    ],
)
def test_frames_are_turned_and_mirrored_as_players_show_them(tmp_path, matrix, size, place):
    frame = np.full((32, 64, 3), 60, np.uint8)
    frame[:16, :32] = 220
    path = make_video(tmp_path / "clip.mp4", [frame] * 3, "mpeg4")
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # ISO/IEC 14496-12, version 0 of the box
    a, b, c, d = matrix
    numbers = ONE * np.array([a, b, 0, c, d, 0, 0, 0, 0x4000])
    data[start : start + 36] = numbers.astype(">i4").tobytes()
    path.write_bytes(data)
    assert corner(path) == (size, place)


@pytest.mark.parametrize(
    ("shape", "size"),
    [(Fraction(4, 3), (85, 32)), (Fraction(1, 2), (64, 64)), (Fraction(99), (64, 32))],
)
def test_pixels_that_are_not_square_are_made_square(tmp_path, shape, size):
    frame = np.full((32, 64, 3), 60, np.uint8)
    path = make_video(tmp_path / "clip.mkv", [frame] * 2, "mpeg4", shape=shape)
    assert next(video(str(path))).read().size == size, "impossible ones are left out"


def test_a_damaged_frame_is_counted_and_the_others_keep_their_numbers(tmp_path):
    path = noise_video(tmp_path / "clip.avi", "mjpeg")
    whole = list(video(str(path)))
    data = bytearray(path.read_bytes())
    starts = [match.end() for match in re.finditer(rb"00dc....(?=\xff\xd8)", data, re.DOTALL)]
    for start in (starts[3], starts[11]):
        data[start : start + 1000] = bytes(1000)
    path.write_bytes(data)
    found = list(video(str(path)))
    assert [source.frame for source in found] == list(range(20))
    for source, other in zip(found, whole, strict=True):
        if source.frame in (3, 11):
            with pytest.raises(ImageError, match="damaged frame"):
                source.read()
        else:
            assert source.read().fingerprint == other.read().fingerprint
            assert source.seconds == other.seconds


def test_a_title_in_another_encoding_is_no_obstacle(tmp_path):
    path = noise_video(tmp_path / "clip.avi", "mjpeg")
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"\xa4avf"))
    assert len(list(video(str(path)))) == 20


def test_a_truncated_video_ends_with_an_unreadable_source(tmp_path):
    path = noise_video(tmp_path / "cut.avi", "mjpeg")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    *whole, last = video(str(path))
    assert [source.frame for source in whole] == list(range(len(whole)))
    assert 5 < len(whole) < 15
    missing = len(data) - len(data) // 2
    with pytest.raises(ImageError, match=f"cut: at least {missing:,} bytes and"):
        last.read()
    few = video(str(path), limit=2)
    assert [source.frame for source in few] == [0, 1], "all that was asked for"


@pytest.mark.parametrize(
    "content", [b"", b"RIFF\x10\0\0\0AVI LIST", b"\0\0\0\x18ftypmp42" + bytes(99)]
)
def test_what_cannot_be_decoded_is_one_unreadable_source(tmp_path, capfd, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    (only,) = video(str(path))
    with pytest.raises(ImageError, match=r"not a video that can be decoded|cut"):
        only.read()
    assert capfd.readouterr() == ("", ""), "FFmpeg prints nothing"


def test_frames_that_take_too_much_memory_are_not_decoded(clip, monkeypatch):
    monkeypatch.setattr(video_module, "MAX_PIXELS", 64 * 48 - 1)
    (only,) = video(clip)
    with pytest.raises(ImageError, match="64x48 pixels, at most 3071 allowed in a frame"):
        only.read()


class Capture:
    """A camera of three frames, each brighter than the one before; then it was unplugged."""

    def __init__(self, index: int) -> None:
        self.index, self.number, self.released = index, -1, False

    def isOpened(self, *_: object) -> bool:
        return True

    set = isOpened

    def grab(self) -> bool:
        self.number += 1
        return self.number < 3

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((4, 6, 3), (0, 0, SHADE * self.number), np.uint8)

    def release(self) -> None:
        self.released = True


def test_a_camera_gives_numbered_frames_until_it_ends_or_the_limit(monkeypatch):
    opened: list[Capture] = []
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda index: opened.append(Capture(index)) or opened[-1]
    )
    found = list(camera(1))
    assert [(source.path, source.frame) for source in found] == [("camera:1", n) for n in range(3)]
    assert [np.asarray(source.read().rgb)[0, 0, 0] for source in found] == [0, SHADE, 2 * SHADE]
    assert [source.frame for source in camera(0, every=2, limit=1)] == [0]
    assert [(each.index, each.released) for each in opened] == [(1, True), (0, True)]


def test_a_missing_camera_is_one_line(capfd):
    with pytest.raises(SourceError, match="camera 97: cannot be opened"):
        next(camera(97))
    assert capfd.readouterr() == ("", ""), "OpenCV prints nothing"
