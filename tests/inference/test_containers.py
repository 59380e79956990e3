import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facial_expression.inference.containers import missing_bytes
from tests.helpers import noise_video


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("avi", "mjpeg"),
        ("mp4", "mpeg4"),
        ("mov", "mpeg4"),
        ("mkv", "mjpeg"),
        ("webm", "libvpx"),
    ],
)
def test_whole_and_truncated_videos(suffix, codec, tmp_path):
    path = noise_video(tmp_path / f"clip.{suffix}", codec)
    data = path.read_bytes()
    assert len(data) > 1000
    assert missing_bytes(path) == 0
    for kept in (len(data) // 2, int(0.95 * len(data))):
        path.write_bytes(data[:kept])
        assert 0 < missing_bytes(path) <= len(data) - kept


def box(size: int, kind: bytes = b"mdat") -> bytes:
    return size.to_bytes(4, "big") + kind


EBML = b"\x1aE\xdf\xa3\x81\0\x18S\x80g"


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (box(20, b"ftyp") + bytes(12), 0),
        (box(20, b"ftyp") + bytes(12) + box(100) + bytes(20), 72),
        (box(20, b"ftyp") + bytes(12) + box(0) + bytes(20), 0),  # open-ended
        (box(20, b"ftyp") + bytes(12) + box(1) + (60).to_bytes(8, "big") + bytes(4), 40),
        (b"RIFF" + (40).to_bytes(4, "little") + bytes(30), 10),
        (b"RIFF" + (8).to_bytes(4, "little") + bytes(8) + b"RIFF" + (90).to_bytes(4, "little"), 90),
        (b"RIFF" + bytes(4) + b"AVI LIST", 0),  # its writer was killed
        (b"RIFF" + b"\xff" * 4 + b"AVI LIST", 0),  # written to a pipe
        (EBML + b"\x85abc", 2),
        (EBML + b"\x01" + b"\xff" * 7 + b"abc", 0),  # a live recording
        (EBML + b"\x40\x20" + bytes(30), 2),
    ],
)
def test_containers_by_hand(data, missing, tmp_path):
    path = tmp_path / "video"
    path.write_bytes(data)
    assert missing_bytes(path) == missing


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"", b"RIFF", EBML[:4], EBML, box(8, b"ftyp")]), st.binary(max_size=60))
def test_any_bytes_give_a_number(tmp_path, head, rest):
    path = tmp_path / "video"
    path.write_bytes(head + rest)
    assert missing_bytes(path) >= 0
