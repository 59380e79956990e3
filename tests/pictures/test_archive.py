from __future__ import annotations

import contextlib
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.core.errors import ArchiveError
from facial_expression.core.files import sha256_of
from facial_expression.pictures import archive
from tests.helpers import make_archive, tiny_pictures


def test_members_are_sorted_and_read_back_unchanged(tiny_archive: Path) -> None:
    pictures = tiny_pictures()
    places = archive.members(tiny_archive)
    assert list(places) == sorted(pictures)
    assert dict(archive.read_members(tiny_archive, places.items())) == pictures


def test_members_are_read_in_the_order_asked_for(tiny_archive: Path) -> None:
    places = list(archive.members(tiny_archive).items())
    random.Random(0).shuffle(places)
    read = [name for name, _ in archive.read_members(tiny_archive, places[:7])]
    assert read == [name for name, _ in places[:7]]


def test_the_bytes_are_pinned(tmp_path: Path) -> None:
    """Every pin of a data set breaks when the format changes: it must never change unnoticed."""
    path = make_archive(tmp_path / "a.zip", {"train/é/x.PNG": b"1" * 70, "test/a/y.jpg": b""})
    assert sha256_of(path) == ("91052cb8e02201f04620e65c7158376dd2c2e9a9c21e7ae9759ea1c5e54b483a")


def test_members_are_stored_with_fixed_attributes(tiny_archive: Path) -> None:
    with zipfile.ZipFile(tiny_archive) as opened:
        kept = {
            (info.compress_type, info.date_time, info.create_system, info.external_attr, info.extra)
            for info in opened.infolist()
        }
    assert kept == {(zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0), 3, 0o100644 << 16, b"")}


@pytest.mark.parametrize(
    ("names", "options", "found"),
    [
        (["train/a/x.jpg"], {"compression": zipfile.ZIP_DEFLATED}, "compressed"),
        (["wrap/train/a/x.jpg"], {}, "'wrap/train/a/x.jpg'"),
        (["train/x.jpg"], {}, "'train/x.jpg'"),
        (["train/a/x.txt"], {}, "'train/a/x.txt'"),
        (["../a/x.jpg"], {}, "'../a/x.jpg'"),
        (["train/b/x.jpg", "train/a/x.jpg"], {}, "out of order"),
        ([], {}, "no member"),
    ],
)
def test_a_foreign_zip_is_refused(
    tmp_path: Path, names: list[str], options: dict[str, int], found: str
) -> None:
    path = tmp_path / "foreign.zip"
    with zipfile.ZipFile(path, "w", **options) as opened:  # type: ignore[call-overload]
        for name in names:
            opened.writestr(zipfile.ZipInfo(name), b"x" * 100, opened.compression)
    with pytest.raises(ArchiveError, match=found):
        archive.members(path)


def test_a_missing_archive_names_the_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"none\.zip: no such archive; run the fetch stage"):
        archive.members(tmp_path / "none.zip")


def test_places_are_those_that_zipfile_finds(tiny_archive: Path) -> None:
    with zipfile.ZipFile(tiny_archive) as opened:
        expected = {info.filename: info.header_offset for info in opened.infolist()}
    assert archive.members(tiny_archive) == expected


def test_a_member_that_is_not_where_it_was_is_named(tiny_archive: Path) -> None:
    (first, _), (_, second), *_ = archive.members(tiny_archive).items()
    with pytest.raises(ArchiveError, match=rf"the member '{first}' is damaged"):
        list(archive.read_members(tiny_archive, [(first, second)]))
    with pytest.raises(ArchiveError, match="corrupt or unreadable"):
        list(archive.read_members(tiny_archive, [(first, 1 << 30)]))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_gives_an_archive_error_or_other_bytes_of_none(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A flipped byte or a cut is found, or touches nothing that a picture consists of."""
    pictures = {"test/a/x.jpg": b"abc" * 20, "train/a/y.jpg": b"def" * 20}
    path = make_archive(tmp_path_factory.mktemp("damaged") / "images.zip", pictures)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    read: dict[str, bytes] = {}
    with contextlib.suppress(ArchiveError):  # and no other
        read = dict(archive.read_members(path, archive.members(path).items()))
    assert set(read.values()) <= set(pictures.values())
