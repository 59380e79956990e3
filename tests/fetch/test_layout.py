"""What is a picture of which class, in folders and archives as people have them."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.layout import normalise
from facial_expression.fetch.parameters import FetchParameters
from tests.helpers import make_folder, picture

ONE, TWO, HEIC = picture(1), picture(2, kind="PNG"), b"\0\0\0\x18ftypheic" + bytes(20)
SET = {"train/a/x.jpg": ONE, "test/a/y.jpg": TWO}
ROW = " ".join(["9"] * 2304)
TABLE = f"emotion,pixels,Usage\n3,{ROW},Training\n0,{ROW},PrivateTest\n"
READ = {"train/happy/Training_0.pgm", "test/angry/PrivateTest_1.pgm"}


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, (name, content) in enumerate(files.items()):
            info = zipfile.ZipInfo(name, (1990 + number % 30, 2, 3, 4, 5, 6))
            archive.writestr(info, content, method)
    return stream.getvalue()


def tarred(files: Mapping[str, bytes], method: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{method}") as archive:  # type: ignore[call-overload]
        for number, (name, content) in enumerate(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), number * 1000
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def fetched(
    folder: Path, files: Mapping[str, bytes], source_name: str = "", **section: str
) -> dict[str, bytes]:
    """The pictures that a folder with these files, or one file of them, gives."""
    source, out = make_folder(folder / "source", files), folder / "images.zip"
    normalise({"here": source / source_name}, out, FetchParameters("", "", **section))
    with zipfile.ZipFile(out) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (SET, SET),
        (["faces/train/a/x.jpg", "faces/test/b/x.jpg"], ["train/a/x.jpg", "test/b/x.jpg"]),
        (["my/test/train/a/x.jpg", "my/test/test/a/y.jpg"], ["train/a/x.jpg", "test/a/y.jpg"]),
        (["train/a/may/1/x.jpg", "train/a/x.jpg"], ["train/a/may_1_x.jpg", "train/a/x.jpg"]),
        (["Train_set/a /x.jpg", "test data/a/y.jpg"], ["train/a/x.jpg", "test/a/y.jpg"]),
        (
            ["train/a/test/x.jpg", "validation/a/y.jpg"],
            ["train/a/test_x.jpg", "validation/a/y.jpg"],
        ),
    ],
    ids=[
        "plain",
        "wrapped",
        "wrapped in a split's name",
        "folders in a class",
        "other names",
        "as Kaggle has it",
    ],
)
def test_split_and_class_are_found_at_any_depth(tmp_path, paths, names):
    assert set(fetched(tmp_path, dict.fromkeys(paths, ONE))) == set(names)


def test_a_set_that_is_there_twice_is_read_once(tmp_path, capsys):
    twice = {
        f"{around}/{name}": data
        for around in ("images", "images/images")
        for name, data in SET.items()
    }
    assert fetched(tmp_path, twice) == SET
    assert (
        "the 2 pictures in 'images/images' are copies of those in 'images'"
        in capsys.readouterr().err
    )
    with pytest.raises(ArchiveError, match=r"and another picture, 'images/images/train/a/x.jpg'"):
        fetched(tmp_path, {"images/images/train/a/x.jpg": TWO})


@pytest.mark.parametrize(
    ("paths", "fault"),
    [
        (["a.jpg"], "expected pictures in <split>/<class>/ folders.*found 'a.jpg'"),
        (["train/x.jpg"], "found 'train/x.jpg'"),
        (["happy/train/x.jpg"], "found 'happy/train/x.jpg'"),
        (["train/x.jpg", "test/y.jpg"], "found 'test/y.jpg'"),
        (["Trainings/a/x.jpg", "test/a/x.jpg"], "found 'Trainings/a/x.jpg'"),
        (["v/train/a/x.jpg", "w/train/a/y.jpg"], "in 'v' and another picture, 'w/train/a/y.jpg'"),
        (["train/a/x.jpg", "train/a/X.JPG"], "found 'train/a/X.JPG' and 'train/a/x.jpg'"),
        (["train/a/x.jpg", "train/A/y.jpg"], "found 'A' and 'a'"),
        (["train/a/b/x.jpg", "train/a/b_x.jpg"], "found 'train/a/b/x.jpg' and 'train/a/b_x.jpg'"),
    ],
)
def test_what_cannot_be_told_names_the_path(tmp_path, paths, fault):
    with pytest.raises(ArchiveError, match=fault):
        fetched(tmp_path, dict.fromkeys(paths, b"\xff\xd8\xff"))


@pytest.mark.parametrize("pack", [None, zipped, tarred])
def test_pictures_are_told_by_content_and_the_rest_is_counted(tmp_path, capsys, monkeypatch, pack):
    monkeypatch.setattr("facial_expression.pictures.images.FORMATS", ("JPEG", "PNG"))
    taken = {**SET, "train/a/IMG_1": ONE, "train/a/b.dat": TWO, "train/a/c.jfif": ONE}
    files = {
        **taken,
        "train/a/phone.heic": HEIC,
        "train/a/.DS_Store": b"hidden",
        "train/a/notes.txt": b"BMW",
        "more.zip": zipped(SET),
        "faces.zip.002": b"PK",
        "faces.part01.rar": b"Rar!\x1a\x07\x01\0",
        "readme": b"",
    }
    assert fetched(tmp_path, {"set.zip": pack(files)} if pack else files) == taken
    assert capsys.readouterr().err == (
        "here: 6 files passed over: 1 .heic (install the extra heic, then dvc repro --force "
        "fetch), 1 packed (unpack them), e.g. more.zip, 2 packed by RAR or 7-Zip or in parts "
        "(unpack them), e.g. faces.part01.rar, 2 not pictures, e.g. readme\n"
    )


def test_archives_in_a_folder_are_read_together(tmp_path):
    one, two = ({f"faces/{name}": SET[name]} for name in SET)
    halves = {"faces-001.zip": zipped(one), "faces-002.zip": zipped(two), "readme.txt": b"x"}
    assert fetched(tmp_path, halves) == SET
    outer = {"outer.zip": zipped({"set.tar": tarred(SET)})}
    assert fetched(tmp_path / "inner", outer, "outer.zip") == SET


def test_names_in_an_unknown_code_page_are_refused_and_in_a_named_one_decoded(tmp_path):
    good = zipped({"train/XXXX/x.jpg": ONE})
    utf8 = good.replace(b"XXXX", "höh".encode())
    gbk = {"set.zip": good.replace(b"XXXX", "开心".encode("gbk"))}
    assert list(fetched(tmp_path / "utf-8", {"set.zip": utf8})) == ["train/höh/x.jpg"]
    with pytest.raises(ArchiveError, match=r"not UTF-8; set fetch\.encoding"):
        fetched(tmp_path, gbk)
    assert list(fetched(tmp_path, gbk, encoding="gbk")) == ["train/开心/x.jpg"]


ICML = TABLE.replace("emotion,", "emotion, ").replace("pixels,U", "pixels, U").encode()


@pytest.mark.parametrize(
    "files",
    [
        {"fer2013.csv": TABLE.replace("\n", "\r\n\r\n").encode()},
        {"fer2013.csv.gz": gzip.compress(TABLE.encode())},
        {"fer2013": tarred({"fer2013/fer2013.csv": TABLE.encode(), "fer2013/README": b"text"})},
        {"archive.zip": zipped({"icml_face_data.csv": ICML})},
        {
            "example_submission.csv": b"usage,label\n",
            "fer2013.tar.gz": gzip.compress(tarred({"fer2013/fer2013.csv": TABLE.encode()})),
            "icml_face_data.csv": ICML,
            "train.csv": f"emotion,pixels\n3,{ROW}\n".encode(),
        },
    ],
    ids=["blank lines", "gzip", "tar without a suffix", "icml", "the challenge's archive"],
)
def test_every_form_of_the_table_gives_the_same_archive(tmp_path, files):
    plain, here, packed = (tmp_path / name for name in ("plain", "here", "packed"))
    assert set(fetched(plain, {"fer2013.csv": TABLE.encode()}, "fer2013.csv")) == READ
    fetched(here, files)
    fetched(packed, {"all.zip": zipped(files)}, "all.zip")
    archives = [(folder / "images.zip").read_bytes() for folder in (plain, here, packed)]
    assert archives[0] == archives[1] == archives[2]


def test_the_challenge_s_training_rows_alone_are_train(tmp_path):
    text = (
        TABLE.replace(",Usage", "")
        .replace("n,p", "n, p")
        .replace(",Training", "")
        .replace(",PrivateTest", "")
    )
    read = fetched(tmp_path, {"train.csv": text.encode(), "test.csv": b"pixels\n9 9\n"})
    assert set(read) == {"train/happy/Training_0.pgm", "train/angry/Training_1.pgm"}


def test_a_table_beside_pictures_is_passed_over_and_of_two_one_must_go(tmp_path, capsys):
    assert fetched(tmp_path / "both", {**SET, "fer2013.csv": TABLE.encode()}) == SET
    assert "passed over: 1 not pictures, e.g. fer2013.csv" in capsys.readouterr().err
    with pytest.raises(ArchiveError, match=r"expected one fer2013.csv, found .* and .*; leave one"):
        fetched(tmp_path, dict.fromkeys(["one.csv", "two.csv"], TABLE.encode()))
