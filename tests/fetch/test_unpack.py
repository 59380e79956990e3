"""Archives of every kind, sound and hostile."""

import os
import shutil
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.layout import normalise
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.fetch.unpack import safe_path
from facial_expression.pictures import archive
from tests.fetch.test_layout import tarred, zipped
from tests.helpers import make_archive, make_folder, tiny_pictures


def limits(most_bytes: int, most_files: int) -> FetchParameters:
    return FetchParameters("", "", max_bytes=most_bytes, max_files=most_files)


LIMITS = limits(1 << 30, 1000)
JUNK = ("__MACOSX/train/sad/._x.jpg", ".DS_Store", "train/Thumbs.db", "LICENCE.txt", "._a.png")
PICTURES = tiny_pictures()
GOOD = {"train/a/x.jpg": b"one", "test/a/y.jpg": b"two"}


def packed(source: Path, allowed: FetchParameters = LIMITS) -> bytes:
    """What `normalise` makes of the source, in a folder in which it must leave nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "images.zip"
        count = normalise({"the source": source}, out, allowed).files
        assert os.listdir(folder) == [out.name]  # noqa: PTH208
        assert count == len(archive.members(out))
        return out.read_bytes()


def refuse(source: Path, fault: str, allowed: FetchParameters = LIMITS) -> None:
    with pytest.raises(ArchiveError, match=fault) as caught:
        packed(source, allowed)
    assert str(caught.value).startswith("the source")


def make_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path.write_bytes(zipped(files, method))
    return path


def make_tar(path: Path, files: Mapping[str, bytes], method: str = "") -> Path:
    path.write_bytes(tarred(files, method))
    return path


PACKERS: dict[str, Callable[[Path, Mapping[str, bytes]], Path]] = {
    "stored": lambda path, files: make_zip(path, files, zipfile.ZIP_STORED),
    "deflated": make_zip,
    "bzip2": lambda path, files: make_zip(path, files, zipfile.ZIP_BZIP2),
    "lzma": lambda path, files: make_zip(path, files, zipfile.ZIP_LZMA),
    "tar": make_tar,
    "tar.gz": lambda path, files: make_tar(path, files, "gz"),
    "tar.bz2": lambda path, files: make_tar(path, files, "bz2"),
    "tar.xz": lambda path, files: make_tar(path, files, "xz"),
    "folder": make_folder,
}
ARCHIVES = [name for name in PACKERS if name != "folder"]


@settings(max_examples=60, deadline=None)
@given(
    packer=st.sampled_from(sorted(PACKERS)),
    wrapper=st.sampled_from(["", "fer2013/", "a/b c/"]),
    order=st.randoms(use_true_random=False),
    junk=st.sets(st.sampled_from(JUNK)),
    nested=st.booleans(),
)
def test_the_same_pictures_give_the_same_bytes(packer, wrapper, order, junk, nested):
    files = {wrapper + name: content for name, content in PICTURES.items()}
    files |= {wrapper + name: b"junk" for name in junk}
    shuffled = sorted(files)
    order.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inner = folder / "inner" if nested else folder
        inner.mkdir(exist_ok=True)
        suffix = ".zip" if packer in ("stored", "deflated", "bzip2", "lzma") else f".{packer}"
        source = PACKERS[packer](inner / f"set{suffix}", {name: files[name] for name in shuffled})
        expected = make_archive(folder / "expected.bin", PICTURES)
        assert packed(inner if nested and packer != "folder" else source) == expected.read_bytes()


@pytest.mark.parametrize("wrapper", ["", "download/set"])
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_a_class_folder_without_a_picture_is_refused(tmp_path, wrapper, kind):
    top = make_folder(
        tmp_path / "top", {f"{wrapper}/{name}".lstrip("/"): data for name, data in GOOD.items()}
    )
    (top / wrapper / "train" / "fear").mkdir()
    source = top if kind == "folder" else Path(shutil.make_archive(str(top), kind, top))
    refuse(source, r"every class folder, found none in 'train/fear'")


# Hostile archives


@pytest.mark.parametrize("packer", ARCHIVES)
@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({}, "found none|found a file that begins with"),  # an empty tar is all zeros
        ({"readme.txt": b"text"}, "found none"),
        ({**GOOD, "../evil.txt": b"x"}, "climbs out"),
        ({**GOOD, "train/a/../../../evil.jpg": b"x"}, "climbs out"),
        ({**GOOD, "/etc/evil.jpg": b"x"}, "absolute"),
        ({**GOOD, "C:\\evil.jpg": b"x"}, "absolute"),
        ({**GOOD, "train/a/X.jpg": b"x"}, "expected distinct names"),
        ({**GOOD, "happy.jpg": b"x"}, "expected pictures in <split>/<class>/ folders"),
    ],
)
def test_a_bad_member_is_refused(tmp_path, packer, files, fault):
    refuse(PACKERS[packer](tmp_path / "source", files), fault)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./train//happy/./a.jpg", "train/happy/a.jpg"),
        ("train\\happy\\a.jpg", "train/happy/a.jpg"),
        ("train/cafe\u0301/a.jpg", "train/caf\u00e9/a.jpg"),
        ("train/a..b/a.jpg", "train/a..b/a.jpg"),
        ("train\\..\\a.jpg", "climbs out"),
        ("\\\\host\\share\\a.jpg", "absolute"),
        ("c:a.jpg", "absolute"),
        ("train/happy/a\n.jpg", "control"),
        ("train/happy/\udcff.jpg", "not UTF-8"),
        ("x" * 1001, "too long"),
    ],
)
def test_a_path_is_made_safe_or_refused(name, path):
    if "/" in path:
        assert safe_path(name, "s") == path
    else:
        with pytest.raises(ArchiveError, match=path):
            safe_path(name, "s")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(tmp_path):
    source = make_zip(tmp_path / "twice.zip", GOOD)
    with zipfile.ZipFile(source, "a") as opened:
        opened.writestr("train/a/x.jpg", b"two")
    refuse(source, "expected distinct names")
    source = make_tar(tmp_path / "twice.tar", GOOD)
    with tarfile.open(source, "a") as tar:
        tar.addfile(tarfile.TarInfo("train/a/x.jpg"))
    refuse(source, "expected distinct names")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_a_link_or_device_in_a_tar_is_refused(tmp_path, kind):
    source = make_tar(tmp_path / "set.tar", GOOD)
    with tarfile.open(source, "a") as opened:
        info = tarfile.TarInfo("train/a/link.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        opened.addfile(info)
    refuse(source, "is a link, a device")


def test_a_link_or_pipe_in_a_zip_or_folder_is_refused(tmp_path):
    source = make_zip(tmp_path / "set.zip", GOOD)
    with zipfile.ZipFile(source, "a") as opened:
        info = zipfile.ZipInfo("train/a/link.jpg")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        opened.writestr(info, "/etc/passwd")
    refuse(source, "'train/a/link.jpg' is a link or a device")
    for number, (make, fault) in enumerate(
        [
            (lambda path: path.symlink_to(tmp_path), "is a link that leads out"),
            (lambda path: path.symlink_to("../../elsewhere.jpg"), "is a link that leads out"),
            (lambda path: path.symlink_to("../train"), "is a link that leads out .* or round"),
            (lambda path: path.symlink_to("nothing"), "is a link to nothing"),
            (os.mkfifo, "is a link to nothing or a device"),
        ]
    ):
        source = make_folder(tmp_path / str(number), GOOD)
        make(source / "train" / "link")
        refuse(source, f"'train/link' {fault}")


def test_links_inside_a_folder_and_into_a_dvc_cache_are_followed(tmp_path):
    plain = make_folder(tmp_path / "plain", PICTURES)
    linked = tmp_path / "linked"
    for number, name in enumerate(PICTURES):
        place = tmp_path / "cache/files/md5/0f" / f"{number:030x}" if number % 2 else None
        place = place or linked / ".store" / str(number)
        for path in (place, linked / name):
            path.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(PICTURES[name])
        (linked / name).symlink_to(place)
    (linked / "train.dvc").write_text("outs: []", encoding="utf-8")
    (tmp_path / "whole").symlink_to(linked)
    assert packed(linked) == packed(tmp_path / "whole") == packed(plain)


def patched(source: Path, offset: int, form: str, value: int) -> Path:
    """Overwrite a field of every entry of a zip's directory."""
    content = bytearray(source.read_bytes())
    start = content.find(b"PK\1\2")
    while start >= 0:
        struct.pack_into(form, content, start + offset, value)
        start = content.find(b"PK\1\2", start + 4)
    source.write_bytes(content)
    return source


@pytest.mark.parametrize(
    ("offset", "value", "fault"),
    [(8, 1, "is encrypted"), (10, 97, "compression method is not supported; unpack it")],
)
def test_a_zip_of_an_unknown_kind_is_refused(tmp_path, offset, value, fault):
    refuse(patched(make_zip(tmp_path / "set.zip", GOOD), offset, "<H", value), fault)


@pytest.mark.parametrize("packer", ["stored", "deflated", "bzip2"])
@pytest.mark.parametrize(("size", "declared"), [(100, 5), (100, 500), (20 << 20, 1000)])
def test_a_size_that_is_not_the_declared_one_is_refused(tmp_path, packer, size, declared):
    """Among them a bomb that lies about its size."""
    source = PACKERS[packer](tmp_path / "set.zip", {"train/a/x.jpg": bytes(size)})
    refuse(patched(source, 24, "<I", declared), "truncated or corrupt")


@pytest.mark.parametrize("packer", ARCHIVES)
def test_a_truncated_archive_is_refused_wherever_it_is_cut(tmp_path, packer):
    files = {f"train/a/{number}.jpg": os.urandom(700) for number in range(3)}
    whole = PACKERS[packer](tmp_path / "whole", files).read_bytes()
    # two blocks of zeros end a tar, then come more, up to 10,240 bytes: only these may be missing
    needed = len(whole) if packer != "tar" else 3 * (512 + 1024) + 512
    for kept in range(1, needed, needed // 20):
        (tmp_path / "cut").write_bytes(whole[:kept])
        refuse(tmp_path / "cut", "truncated or corrupt|found a file that begins with")


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "empty").touch()
    refuse(tmp_path / "empty", "found an empty file")
    (tmp_path / "page").write_text("<!DOCTYPE html><p>Quota exceeded")
    refuse(tmp_path / "page", "begins with b'<!DOCTYPE html>")
    (tmp_path / "nothing").mkdir()
    refuse(tmp_path / "nothing", "found none")
    refuse(make_folder(tmp_path / "cut", {"a.zip": b"PK"}), "source/a.zip: truncated or corrupt")


@pytest.mark.parametrize("packer", ["deflated", "bzip2", "lzma", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_decompression_bomb_is_refused(tmp_path, packer):
    source = PACKERS[packer](tmp_path / "bomb", {**GOOD, "bomb.bin": bytes(17 << 20)})
    refuse(source, "a decompression bomb")


@pytest.mark.parametrize("packer", sorted(PACKERS))
def test_too_much_or_too_many_is_refused(tmp_path, packer):
    source = PACKERS[packer](tmp_path / "source", PICTURES)
    size = sum(map(len, PICTURES.values()))
    refuse(source, "at most 29 files, found more; raise fetch.max_files", limits(1 << 30, 29))
    refuse(source, "raise fetch.max_bytes", limits(size - 1, 1000))
    if not packer.startswith("tar"):  # its headers count as well
        packed(source, limits(size, 30))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_that_claims_gigabytes_is_refused(tmp_path, kind):
    """tarfile reads such headers whole: GNU's long names, and the records of pax."""
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, 512 << 20
    (tmp_path / "long.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(20_000))
    refuse(tmp_path / "long.tar", "a header is too long")


def test_an_unreadable_folder_is_one_line(tmp_path, monkeypatch):
    source = make_folder(tmp_path / "source", GOOD)

    scan = os.scandir

    def deny(path: object) -> object:
        if path == str(source):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(ArchiveError, match=r"cannot be read: .*Permission denied"):
        normalise({"the source": source}, tmp_path / "o.zip", LIMITS)
