from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facial_expression.inference.containers import missing_bytes
from tests.helpers import noise_video


@pytest.mark.parametrize(
    ("name", "codec"),
    [("clip.avi", "MJPG"), ("clip.mp4", "mp4v"), ("clip.mov", "mp4v"), ("clip.mkv", "MJPG"),
     ("clip.webm", "VP80")],
)  # fmt: skip
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_whole_video_lacks_nothing_and_a_cut_one_its_end(name, codec, share, tmp_path):
    path = noise_video(tmp_path / name, codec)
    data = path.read_bytes()
    assert len(data) > 1000
    assert missing_bytes(path) == 0
    kept = int(share * len(data))
    path.write_bytes(data[:kept])
    assert 0 < missing_bytes(path) <= len(data) - kept


def box(size: int, kind: bytes = b"mdat") -> bytes:
    return size.to_bytes(4, "big") + kind


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (box(20, b"ftyp") + bytes(12), 0),
        (box(20, b"ftyp") + bytes(12) + box(100) + bytes(20), 72),
        (box(20, b"ftyp") + bytes(12) + box(0) + bytes(20), 0),  # goes on to the end
        (box(20, b"ftyp") + bytes(12) + box(1) + (60).to_bytes(8, "big") + bytes(4), 40),
        (b"RIFF" + (40).to_bytes(4, "little") + bytes(30), 10),
        (b"RIFF" + (8).to_bytes(4, "little") + bytes(8) + b"RIFF" + (90).to_bytes(4, "little"), 90),
        (b"RIFF" + bytes(4) + b"AVI LIST", 0),  # its writer was killed
        (b"\x1aE\xdf\xa3\x81\0\x18S\x80g\x85abc", 2),
        (b"\x1aE\xdf\xa3\x81\0\x18S\x80g\x01" + b"\xff" * 7 + b"abc", 0),  # a live recording
        (b"\x1aE\xdf\xa3\x81\0\x18S\x80g\x40\x20" + bytes(30), 2),
    ],
)
def test_containers_by_hand(data, missing, tmp_path):
    path = tmp_path / "video"
    path.write_bytes(data)
    assert missing_bytes(path) == missing


HEADS = [b"", b"RIFF", b"\x1aE\xdf\xa3", b"\x1aE\xdf\xa3\x81\0\x18S\x80g", box(8, b"ftyp")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=60))
def test_any_bytes_give_a_number(head, rest, tmp_path):
    path = tmp_path / "video"
    path.write_bytes(head + rest)
    assert missing_bytes(path) >= 0
