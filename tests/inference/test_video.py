import cv2
import numpy as np
import pytest

from facial_expression.core.errors import ImageError, SourceError
from facial_expression.inference.video import camera, video
from tests.helpers import noise_video

FRAMES, SHADE = 10, 20


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ten frames, each brighter than the one before, red more than blue."""
    path = str(tmp_path_factory.mktemp("video") / "clip %d.avi")  # no pattern of numbered files
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(FRAMES):
        writer.write(np.full((48, 64, 3), (0, 0, SHADE * number), np.uint8))
    writer.release()
    return path


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


def test_a_truncated_video_ends_with_an_unreadable_source(tmp_path):
    path = noise_video(tmp_path / "cut.avi", "MJPG")
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
