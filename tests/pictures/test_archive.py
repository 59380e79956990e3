import contextlib
import random
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.core.errors import ArchiveError
from facial_expression.pictures import archive
from tests.helpers import make_archive, tiny_pictures


def test_members_are_read_back_unchanged_in_the_order_asked_for(tiny_archive):
    pictures = tiny_pictures()
    places = archive.members(tiny_archive)
    assert list(places) == sorted(pictures)
    some = random.Random(0).sample(list(places.items()), 7)
    read = list(archive.read_members(tiny_archive, some))
    assert read == [(name, pictures[name]) for name, _ in some]


@pytest.mark.parametrize(
    ("names", "compression"),
    [(["train/a/x.jpg"], zipfile.ZIP_DEFLATED), (["train/b/x.jpg", "train/a/x.jpg"], 0), ([], 0)]
    + [([name], 0) for name in ("wrap/train/a/x.jpg", "train/x.jpg", "../a/x.jpg")],
)
def test_a_foreign_zip_is_refused(tmp_path, names, compression):
    path = tmp_path / "foreign.zip"
    with zipfile.ZipFile(path, "w", compression) as opened:
        for name in names:
            info = zipfile.ZipInfo(name, archive.EPOCH)
            opened.writestr(info, b"x" * 100, opened.compression)
    with pytest.raises(ArchiveError, match="expected the archive that the fetch stage writes"):
        archive.members(path)


def test_a_missing_archive_and_a_misplaced_member_are_named(tiny_archive, tmp_path):
    with pytest.raises(ArchiveError, match=r"none\.zip: no such archive; run the fetch stage"):
        archive.members(tmp_path / "none.zip")
    (first, _), (_, second), *_ = archive.members(tiny_archive).items()
    with pytest.raises(ArchiveError, match=rf"the member '{first}' is damaged"):
        list(archive.read_members(tiny_archive, [(first, second)]))
    with pytest.raises(ArchiveError, match="corrupt or unreadable"):
        list(archive.read_members(tiny_archive, [(first, 1 << 30)]))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_gives_an_archive_error_or_other_bytes_of_none(tmp_path_factory, data):
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
