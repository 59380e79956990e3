"""Published data sets as they are downloaded, in miniature."""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from facial_expression.core.errors import ArchiveError, PipelineError
from facial_expression.core.labels import FER2013_IDS
from facial_expression.fetch import layout
from facial_expression.fetch.layout import normalise
from facial_expression.fetch.parameters import FetchParameters, Layout
from stages import fetch
from stages import index as stage_index
from tests.fetch import miniatures
from tests.fetch.miniatures import MINIATURES, Tree, ck_plus, face
from tests.fetch.test_layout import zipped
from tests.helpers import drawn_face, make_folder

ROOT = Path(__file__).parents[2]
SIX = sorted(miniatures.CK_IDS)
SEVEN = sorted(FER2013_IDS)


class Set:
    """What fetch makes of a set."""

    def __init__(
        self, folder: Path, files: Tree, pack: bool = False, workers: int = 1, **section: object
    ) -> None:
        source = folder / "set.zip" if pack else make_folder(folder / "source", files)
        if pack:
            folder.mkdir(exist_ok=True)
            source.write_bytes(zipped(files))
        images = folder / "images.zip"
        params = FetchParameters("", "", **section)  # type: ignore[arg-type]
        self.made = normalise({"here": source}, images, params, workers)
        with zipfile.ZipFile(images) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        self.counts = Counter(name.rpartition("/")[0] for name in self.members)
        self.people = pd.read_csv(io.StringIO(self.made.people), dtype=str, keep_default_na=False)

    def pixels(self, name: str) -> np.ndarray:
        with Image.open(io.BytesIO(self.members[name])) as image:
            return np.asarray(image)


def each(split: str, classes: list[str], count: int) -> dict[str, int]:
    return {f"{split}/{label}": count for label in classes}


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("name", "layout", "counts", "columns", "person"),
    [
        (
            "raf_db", "raf-db", each("train", SEVEN, 3) | each("test", SEVEN, 1),
            ["sex", "race", "age"], ["train/happy/train_00004_aligned.jpg", "", "female",
                                     "Caucasian", "70+"],
        ),
        ("raf_db_on_kaggle", "raf-db", each("train", SEVEN, 1) | each("test", SEVEN, 1), [], None),
        (
            "affectnet_tables", "affectnet",
            each("train", [*SEVEN, "contempt"], 1) | each("val", [*SEVEN, "contempt"], 1), [], None,
        ),
        (
            "affectnet_annotations", "affectnet",
            each("train", [*SEVEN, "contempt"], 1) | each("val", [*SEVEN, "contempt"], 1), [], None,
        ),
        (
            "ck_plus", "ck+", each("train", SIX, 3) | {"train/neutral": 6}, [],
            ["train/fear/S001_002_00000006.png", "S001"],
        ),
        ("ck_plus_48", "folders", each("train", SIX, 2), [],
         ["train/happy/S011_004_00000011.png", "S011"]),
        ("jaffe", "jaffe", each("train", SEVEN, 2), [], ["train/happy/KL.HA2.2.tiff", "KL"]),
        (
            "kdef", "kdef", each("train", SEVEN, 4), ["sex", "angle"],
            ["train/fear/BM02AFHL.JPG", "M02", "male", "half left"],
        ),
        ("expw", "expw", each("train", SEVEN, 2), [],
         ["train/happy/happy_actor_3_1.png", "happy_actor_3.png"]),
        (
            "afew", "folders",
            {f"{split}/{label.title()}": 2 for split in ("train", "val") for label in SEVEN}, [],
            ["val/Fear/000000202_001.png", "000000202"],
        ),
    ],
)  # fmt: skip
def test_a_published_set_is_read_as_it_comes(tmp_path, pack, name, layout, counts, columns, person):
    read = Set(tmp_path, MINIATURES[name](), pack)
    assert read.made.layout == layout
    assert read.counts == counts
    assert read.made.files == sum(counts.values())
    assert list(read.people) == ["path", "group", *columns]
    if person:
        assert set(read.people["path"]) == set(read.members)
        assert person in read.people.to_numpy().tolist()
    else:
        assert read.people.empty


def test_pictures_keep_their_bytes_and_faces_are_cut_out(tmp_path):
    aligned = Set(tmp_path / "raf", MINIATURES["raf_db"]()).members
    assert aligned["train/happy/train_00004_aligned.jpg"] == face("happy", 4, side=100)
    faces = Set(tmp_path / "expw", MINIATURES["expw"]())
    np.testing.assert_array_equal(
        faces.pixels("train/happy/happy_actor_3_1.png"), drawn_face(53, "happy")
    )
    newer = Set(tmp_path / "affectnet", MINIATURES["affectnet_tables"]())
    assert newer.pixels("train/happy/689_00000001.png").shape == (72, 80)


@pytest.mark.parametrize("workers", [2, 3])
def test_faces_are_cut_out_alike_by_any_number_of_processes(tmp_path, monkeypatch, workers):
    """Of pictures with and without a box, and of one that cannot be decoded."""
    rows = [f"{number}.png;1;train;a;0;0;24;{48 - number};9" for number in range(3)]
    files = with_table(*rows, "broken.png;1;train;a;0;0;9;9;9", "whole.png;1;train;a;;;;;9")
    files |= {"all/broken.png": b"no picture", "all/whole.png": face("happy", 7, "PNG")}
    monkeypatch.setattr(layout, "CHUNK", 1)
    alone = any_table(tmp_path / "alone", files)
    shared = any_table(tmp_path / "shared", files, workers=workers)
    assert list(alone.members.items()) == list(shared.members.items())
    assert alone.members["train/happy/whole.png"] == files["all/whole.png"]
    wrong = with_table(*rows, "0.png;1;test;a;60;0;70;9;1")
    with pytest.raises(ArchiveError, match=r"all/0\.png': expected a box in the picture"):
        any_table(tmp_path / "wrong", wrong, workers=workers)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("affectnet_tables", "labels passed over: 2 of no expression, 2 uncertain, 2 of no face\n"),
        ("affectnet_annotations", "labels passed over: 2 of no expression\n"),
        ("raf_db", "28 pictures without a label, e.g. basic/Image/original/test_00022.jpg\n"),
        (
            "jaffe",
            "here: 2 files passed over: 1 pictures without a label, e.g. jaffe/cover.png, "
            "1 not pictures, e.g. jaffe/README_FIRST.txt\n",
        ),
        ("ck_plus", "here: 13 files passed over: 13 pictures without a label, e.g. cohn-kanade"),
    ],
)
def test_what_is_left_out_is_counted(tmp_path, capsys, name, said):
    Set(tmp_path, MINIATURES[name]())
    assert said in capsys.readouterr().err


def test_a_set_in_several_archives_is_read_together(tmp_path):
    files = MINIATURES["raf_db"]()
    labels = {path: data for path, data in files.items() if path.endswith("_label.txt")}
    for part in ("Image/aligned", "Annotation/manual"):
        inside = {path: data for path, data in files.items() if part in path}
        labels[f"basic/{part}.zip"] = zipped(inside)
    read = Set(tmp_path, labels)
    assert (read.made.layout, read.made.files, len(read.people)) == ("raf-db", 28, 28)


TABLE = "image;emotion;fold;who;x1;y1;x2;y2;age\n"


def with_table(*rows: str, name: str = "labels.csv") -> Tree:
    pictures = {f"all/{number}.png": face("happy", number, "PNG") for number in range(3)}
    return {**pictures, f"meta/{name}": (TABLE + "\n".join(rows)).encode()}


COLUMNS = {
    "file": "labels.csv",
    "path": "image",
    "class": "emotion",
    "split": "fold",
    "group": "who",
    "box": ("x1", "y1", "x2", "y2"),
    "attributes": ("age",),
}


def any_table(folder: Path, files: Tree, workers: int = 1, **changed: object) -> Set:
    table = {**COLUMNS, **changed}
    return Set(folder, files, workers=workers, table=table, classes={"1": "happy"})


def test_any_table_is_read_by_its_columns(tmp_path):
    rows = ["0.png;1;training;ann;0;0;24;48;20", "", "all/2.png; sad;TEST;bo;-5;10;48;99;60"]
    read = any_table(tmp_path, with_table(*rows))
    assert read.made.layout == "table"
    assert list(read.members) == ["test/sad/all_2.png", "train/happy/0.png"]
    assert read.made.people == (
        "path,group,age\ntest/sad/all_2.png,bo,60\ntrain/happy/0.png,ann,20\n"
    )
    np.testing.assert_array_equal(read.pixels("train/happy/0.png"), drawn_face(0)[:, :24])
    np.testing.assert_array_equal(read.pixels("test/sad/all_2.png"), drawn_face(2)[10:])
    spaced = with_table(*(row.replace(";", " ; ") for row in rows))  # as spreadsheets leave them
    assert any_table(tmp_path / "spaced", spaced).members == read.members
    plain = any_table(
        tmp_path / "plain", with_table(*rows), split="", group="", box=(), attributes=()
    )
    assert plain.members["train/happy/0.png"] == face("happy", 0, "PNG")
    assert plain.made.people == "path,group\n"


def test_faces_of_one_photograph_are_numbered_and_a_group(tmp_path):
    rows = ["all/0.png;1;train;;0;0;24;48;", "1.png;sad;train;;0;0;24;48;"]
    rows += ["all/0.png;1;train;;24;0;48;48;", "all/0.png;sad;train;;0;9;48;48;"]
    read = any_table(tmp_path, with_table(*rows), group="", attributes=())
    numbered = ["train/happy/all_0_0.png", "train/happy/all_0_1.png", "train/sad/all_0_2.png"]
    assert sorted(read.members) == sorted([*numbered, "train/sad/1.png"])
    np.testing.assert_array_equal(read.pixels(numbered[1]), drawn_face(0)[:, 24:])
    groups = dict(zip(read.people["path"], read.people["group"], strict=True))
    assert groups == dict.fromkeys(numbered, "all/0.png")


def test_without_the_first_frame_of_a_sequence_no_frame_is_neutral(tmp_path):
    files = {path: data for path, data in ck_plus().items() if not path.endswith("_00000001.png")}
    read = Set(tmp_path, files)
    assert {path.split("/")[1] for path in read.members} == set(SIX) - {"neutral"}


@pytest.mark.parametrize(
    ("row", "changed", "fault"),
    [
        ("0.png;1;train;a;0;0;9;9;1;7", {}, "labels.csv': expected rows as long as the header"),
        ("0.png;1;later;a;0;0;9;9;1", {}, "expected a split of train, .* found 'later'"),
        ("0.png;1;train;a;9;0;0;9;1", {}, "all/0.png': expected a box in the picture"),
        ("0.png;1;train;a;x;0;0;9;1", {}, "labels.csv': column x1: .* 'x'"),
        ("0.png;;train;a;0;0;9;9;1", {}, "expected fetch.classes to name some of , found '1'"),
        ("0.png;1;train;a;60;0;70;9;1", {}, "all/0.png': expected a box in the picture"),
        ("0.png;1;train;a;0;0;9;9;1", {"path": "name"}, "expected a column name, found image"),
        ("0.png;1;train;a;0;0;9;9;1", {"file": "list.csv"}, "expected one table 'list.csv'"),
        ("/my/0.png;1;train;a;0;0;9;9;1", {}, "path inside the source .* '/my/0.png'; shorten"),
        ("0.png;1;train;a;0;0;;9;1", {}, "each of x1, y1, x2, y2, or in none, found some for '0"),
        ("7.png;1;train;a;0;0;9;9;1", {}, "expected the pictures that its labels name"),
        ("0.png;a/b;train;a;0;0;9;9;1", {}, "fetch.classes to name some of a/b, found '1'"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_one_line(tmp_path, row, changed, fault):
    with pytest.raises(PipelineError, match=fault):
        any_table(tmp_path, with_table(row), **changed)


def without(ending: str) -> Callable[[Tree], Tree]:
    return lambda files: {path: data for path, data in files.items() if not path.endswith(ending)}


def changed(ending: str, data: bytes) -> Callable[[Tree], Tree]:
    return lambda files: {
        path: data if path.endswith(ending) else before for path, before in files.items()
    }


@pytest.mark.parametrize(
    ("name", "damage", "fault"),
    [
        ("raf_db", without("_aligned.jpg"), "expected the pictures .* 'train_00001_aligned.jpg'"),
        ("raf_db", changed("_label.txt", b"train_00001.jpg 9\n"), "a label of 1, .* found '9'"),
        ("raf_db", changed("_label.txt", b"train_00001.jpg\n"), "a label of 1, .* found ''"),
        ("raf_db", changed("_attri.txt", b"1\n0\n9\n"), "expected gender, race and age .*'1 0 9'"),
        ("ck_plus", changed("_emotion.txt", b"none"), "expected a number 0 to 7, found 'none'"),
        ("ck_plus", changed("_emotion.txt", b""), "expected a number 0 to 7, found ''"),
        ("ck_plus", changed("_emotion.txt", b"9"), "expected for .* a label of 0, .* found '9'"),
        ("affectnet_annotations", changed("_exp.npy", b"\x80\x04K\x03."), "corrupt .*pickle"),
        (
            "affectnet_tables",
            changed("ing.csv", b"subDirectory_filePath\na.jpg\n"),
            "not found: .*face_x",
        ),
        ("expw", changed("label.lst", b"a.png 0 1 2 3\n"), "found ''"),
    ],
)
def test_a_damaged_set_is_one_line(tmp_path, name, damage, fault):
    with pytest.raises(PipelineError, match=fault):
        Set(tmp_path, damage(MINIATURES[name]()))


def test_two_sets_in_one_source_need_a_layout(tmp_path):
    both = {**MINIATURES["raf_db"](), **MINIATURES["ck_plus"]()}
    with pytest.raises(ArchiveError, match=r"files of ck\+ and raf-db; set fetch.layout"):
        Set(tmp_path, both)
    assert Set(tmp_path / "one", both, layout="ck+").counts["train/neutral"] == 6


@pytest.mark.parametrize("layout", sorted(get_args(Layout)))
@pytest.mark.parametrize("name", ["kdef", "afew", "expw"])
def test_a_wrong_layout_is_one_line(tmp_path, layout, name):
    rights = {"kdef": ("kdef", "folders"), "expw": ("expw",), "afew": ("folders",)}
    if layout in rights[name]:
        assert Set(tmp_path, MINIATURES[name](), layout=layout).made.layout == layout
        return
    with pytest.raises(PipelineError):
        Set(tmp_path, MINIATURES[name](), layout=layout)


def test_classes_get_names(tmp_path):
    files = {f"train/{number}/{number}.jpg": face("sad", number) for number in (1, 2)}
    named = Set(tmp_path, files, classes={"1": "surprise"})
    assert list(named.counts) == ["train/2", "train/surprise"]
    raf_db = MINIATURES["raf_db_on_kaggle"]()
    told = Set(tmp_path / "raf", raf_db, classes={str(n): f"class {n}" for n in range(1, 8)})
    assert "test/class 7" in told.counts
    for classes, fault in (
        ({"3": "fear"}, "fetch.classes to name some of 1, 2, found '3'"),
        ({"1": "a/b"}, "expected a class that can be the name of a folder, found 'a/b'"),
        ({"1": "Sad", "2": "sad"}, "expected distinct names, found 'Sad' and 'sad'"),
    ):
        with pytest.raises(ArchiveError, match=fault):
            Set(tmp_path / fault[-4:-1], files, classes=classes)


def test_class_folders_without_splits_are_train(tmp_path, capsys):
    happy, sad = face("happy", 1), face("sad", 1)
    read = Set(tmp_path / "one", {"faces/happy/may/1.jpg": happy, "faces/sad/2.jpg": sad})
    assert list(read.members) == ["train/happy/may_1.jpg", "train/sad/2.jpg"]
    assert read.made.people == "path,group\ntrain/happy/may_1.jpg,may\n"
    assert capsys.readouterr().err == "here: no folders of splits, all is train: happy, sad\n"
    for files in ({"ann/happy/1.jpg": happy, "bo/happy/1.jpg": sad}, {"faces/1.jpg": happy}):
        with pytest.raises(ArchiveError, match=r"sort them into .* or set fetch.layout"):
            Set(tmp_path / "other", files)


def test_of_a_single_person_no_group_is_kept(tmp_path, capsys):
    read = Set(tmp_path, without(".2.tiff")(MINIATURES["jaffe"]()))
    assert set(read.people["group"]) == {"KA", "KL"}
    only = {path: data for path, data in MINIATURES["jaffe"]().items() if "/KA." in path}
    assert Set(tmp_path / "one", only).made.people == "path,group\n"
    assert "all pictures are of 'KA', so no group is kept" in capsys.readouterr().err


@pytest.mark.parametrize("firsts", [(), (0, 10, 20, 30)], ids=["raf_db", "ck_plus"])
def test_a_set_is_fetched_and_indexed(tmp_path, firsts):
    """No subject stands in two splits."""
    files = {path: data for first in firsts for path, data in ck_plus(first).items()}
    source = tmp_path / "data" / "source" / "folder"
    make_folder(source, files or MINIATURES["raf_db"]())
    conf = yaml.safe_load((ROOT / "conf/data/folder.yaml").read_text())
    conf["fetch"]["source"] = str(source)
    params = tmp_path / "folder.yaml"
    params.write_text(yaml.safe_dump(conf))
    raw, index = tmp_path / "data" / "raw", tmp_path / "data" / "index"
    fetch.main(["--params", str(params), "--out", str(raw)])
    stage_index.main(["--params", str(params), "--raw", str(raw), "--out", str(index)])
    table = pd.read_csv(index / "index.csv")
    assert len(table) == json.loads((raw / "source.json").read_text())["files"]
    assert set(table["split"]) == {"train", "val", "test"}
    if firsts:
        assert (table.groupby("group")["split"].nunique() == 1).all()


def test_a_reader_is_at_most_a_page():
    for path in (ROOT / "facial_expression/fetch/layouts").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 60, path


def test_the_data_card_has_a_row_for_every_layout():
    card = (ROOT / "data/README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`layout: ([^`]+)`", card))
    assert named == set(get_args(Layout)) - {"table"}  # `fetch.table` chooses that one
