import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from facial_expression.core.errors import DatasetError, ImageError, ParameterError, PipelineError
from facial_expression.core.files import sha256_of
from facial_expression.core.tables import read_table
from facial_expression.index import ferplus
from facial_expression.index import table as index_table
from facial_expression.index.near_duplicates import SIDE
from facial_expression.index.table import scan
from stages import fetch, index
from tests.helpers import make_archive, picture, tiny_pictures

ROOT = Path(__file__).parents[2]
PARAMS = {
    "protocol": "clean",
    "near_duplicate": 0.8,
    "drop": ["leak"],
    "exclude": {"table": "", "sha256": ""},
    "val_fraction": 0.2,
    "test_fraction": 0.2,
    "seed": 0,
    "on_bad_image": "error",
    "labels": {
        **{"source": "folders", "votes": "", "sha256": ""},
        **{"targets": "majority", "classes": 7, "filter": "published"},
    },
}
FILES = ["audit.csv", "audit.json", "class_counts.csv", "croissant.json", "index.csv"]


def indexed(
    images: Path, out: Path, workers: int = 1, people: str = "path,group\n", **changed: Any
) -> Path:
    """Run the stage as dvc.yaml does; OUT."""
    raw = images.parent
    params = raw / "params.yaml"
    about = {"dataset": "tiny", "labels": None, "people": "drawn", "licence": "mit"}
    document = {"index": PARAMS | changed, "export": about}
    params.write_text(yaml.safe_dump(document), encoding="utf-8")
    (raw / "people.csv").write_text(people, encoding="utf-8")
    record = {"kind": "local", "source": "tiny.zip", "licence": "made for a test", "files": 30}
    facts = {"sha256": sha256_of(images), "bytes": images.stat().st_size}
    (raw / "source.json").write_text(json.dumps({**record, **facts}), encoding="utf-8")
    argv = ["--params", params, "--raw", raw, "--out", out, "--workers", workers]
    index.main([str(part) for part in argv])
    return out


def index_of(out: Path) -> pd.DataFrame:
    return read_table(out / "index.csv", {"leak_free": int})


def reasons_of(out: Path) -> dict[str, str]:
    table = index_of(out)
    dropped = table[table["dropped_because"] != ""]
    return dict(zip(dropped["path"], dropped["dropped_because"], strict=True))


def audit_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "audit.json").read_text(encoding="utf-8"))


LEAK, NEAR = "train/happy/Training_90.jpg", "train/angry/Training_1.png"
COPY, OF_NEAR = "train/happy/Training_91.jpg", "test/sad/PublicTest_94.jpg"
BAD = ["test/sad/PrivateTest_93.png", "train/sad/Training_92.jpg"]


@pytest.fixture
def faulty(tmp_path) -> Path:
    """The tiny set with a leak, a duplicate inside train, a near-duplicate of a picture, and two
    files that are not pictures."""
    pictures = tiny_pictures()
    pictures[LEAK] = pictures["test/sad/PublicTest_0.jpg"]
    pictures[COPY] = pictures["train/happy/Training_0.jpg"]
    pictures[OF_NEAR] = picture(sorted(tiny_pictures()).index(NEAR), side=60)
    pictures[BAD[1]] = pictures["train/sad/Training_0.jpg"][:200]
    pictures[BAD[0]] = b"words"
    return make_archive(tmp_path / "images.zip", pictures)


def test_facts_about_a_picture(tmp_path):
    pixels = np.array([[0, 10, 20], [30, 40, 50]], np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    images = make_archive(tmp_path / "images.zip", {"train/sad/a.png": stream.getvalue()})
    for searched in (False, True):
        table, thumbnails = scan(images, 1, searched)
        assert (thumbnails.shape, thumbnails.dtype) == ((int(searched), SIDE, SIDE), np.uint8)
        (facts,) = table.to_numpy().tolist()
        assert (facts[:3], facts[4:7]) == (["train/sad/a.png", "sad", "train"], [3, 2, "L"])
        assert facts[7:9] == pytest.approx([25, np.sqrt(((pixels - 25.0) ** 2).mean())])


def test_files_with_the_columns_of_the_contract(tiny_archive, tmp_path):
    out = indexed(tiny_archive, tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == FILES
    table = index_of(out)
    assert ",".join(table) == (
        "path,class,split,sha256,width,height,mode,mean,std,duplicate_of,dropped_because,leak_free"
    )
    assert table["path"].tolist() == sorted(tiny_pictures())
    assert table["split"].value_counts().to_dict() == {"train": 18, "val": 6, "test": 6}
    assert (table[["width", "height", "mode"]] == ["48", "48", "L"]).all(axis=None)
    counts = (out / "class_counts.csv").read_text(encoding="utf-8").splitlines()
    assert counts[:4] == ["class,split,count", "angry,train,6", "angry,val,2", "angry,test,2"]
    assert (out / "audit.csv").read_bytes() == b"path,kind,partner,score\n"
    assert b"\r" not in (out / "index.csv").read_bytes()


def test_equal_bytes_for_any_number_of_workers(faulty, tmp_path, monkeypatch):
    monkeypatch.setattr(index_table, "CHUNK", 5)
    outs = [indexed(faulty, tmp_path / str(n), n, on_bad_image="skip") for n in (1, 3)]
    for name in FILES:
        assert len({(out / name).read_bytes() for out in outs}) == 1


def test_a_bad_picture_stops_the_run_and_nothing_is_written(faulty, tmp_path, capsys):
    with pytest.raises(ImageError) as caught:
        indexed(faulty, tmp_path / "out")
    message = str(caught.value)
    assert f"{faulty}: 2 of 35 pictures cannot be decoded" in message
    assert f"{BAD[0]} (undecodable: not a picture" in message
    assert f"{BAD[1]} (undecodable: " in message
    assert "index.on_bad_image to skip" in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()
    assert "undecodable" not in capsys.readouterr().err, "the message says it already"


def test_a_damaged_source_json_is_one_line_and_nothing_is_written(tiny_archive, tmp_path):
    indexed(tiny_archive, tmp_path / "out")
    (tiny_archive.parent / "source.json").write_text("{}", encoding="utf-8")
    argv = ["--params", tiny_archive.parent / "params.yaml", "--raw", tiny_archive.parent]
    with pytest.raises(DatasetError, match=r"source\.json: expected what the fetch stage writes"):
        index.main([str(part) for part in [*argv, "--out", tmp_path / "again"]])
    assert not (tmp_path / "again").exists()


def test_of_many_bad_pictures_the_message_lists_a_few(tmp_path):
    pictures = tiny_pictures() | {f"train/sad/bad{i}.png": b"x" for i in range(9)}
    with pytest.raises(ImageError, match=r"39 pictures.*bad4\.png.* and 4 more; remove"):
        indexed(make_archive(tmp_path / "images.zip", pictures), tmp_path / "out")


def test_the_faults_that_were_put_in_are_found_counted_and_dropped(faulty, tmp_path, capsys):
    out = indexed(faulty, tmp_path / "out", on_bad_image="skip")
    assert f"left out {BAD[0]}: undecodable: not a picture" in capsys.readouterr().err
    found = read_table(out / "audit.csv", {"score": float})
    assert found[["path", "kind", "partner"]].to_numpy().tolist() == [
        [LEAK, "duplicate", "test/sad/PublicTest_0.jpg"],
        [COPY, "duplicate", "train/happy/Training_0.jpg"],
        [NEAR, "near_duplicate", OF_NEAR],
        [LEAK, "conflicting_label", "test/sad/PublicTest_0.jpg"],
        [NEAR, "conflicting_label", OF_NEAR],
        [OF_NEAR, "size_outlier", ""],
    ]
    pairs = found[found["kind"].str.endswith("duplicate")]
    table = index_of(out)
    assert set(table["path"][table["leak_free"] == 0]) == {*pairs["path"], *pairs["partner"]}
    assert set(reasons_of(out)) == {LEAK, *BAD}
    clean = audit_of(out)
    assert (clean["protocol"], clean["pictures"]) == ("clean", 35)
    assert clean["used"] == {"train": 19, "val": 7, "test": 6}
    assert clean["dropped"] == {"also_in_val": 1, "undecodable": 2}
    assert clean["imbalance"] == {"train": 1.166667, "val": 1.5, "test": 1.0}
    changed = {"on_bad_image": "skip", "drop": ["near_leak", "duplicate"]}
    out = indexed(faulty, tmp_path / "dropped", **changed)
    assert audit_of(out)["dropped"] == {"duplicate": 1, "nearly_in_val": 1, "undecodable": 2}
    notebook = audit_of(indexed(faulty, tmp_path / "notebook", **changed, protocol="notebook"))
    assert notebook["used"] == {"train": 20, "val": 13, "test": 0}
    assert notebook["dropped"] == {"undecodable": 2}


def test_groups_are_a_column_and_the_audit_counts_those_that_splits_share(tiny_archive, tmp_path):
    paths = sorted(tiny_pictures())
    rows = [f"{path},p{i % 3}" for i, path in enumerate(paths) if i % 5]
    out = indexed(tiny_archive, tmp_path / "out", people="\n".join(["path,group", *rows, "no,p9"]))
    table = index_of(out)
    assert list(table)[:4] == ["path", "class", "split", "group"]
    assert [f"{path},{of}" for path, of in table[["path", "group"]].to_numpy() if of] == rows
    assert audit_of(out)["groups"] == {
        "groups": 3,
        "files": len(rows),
        "groups_across_train_and_evaluation": 3,
        "groups_across_val_and_test": 3,
    }


def test_a_kind_of_near_duplicates_needs_the_search(tiny_archive, tmp_path):
    with pytest.raises(ParameterError, match="a search for near-duplicates, which near_leak needs"):
        indexed(tiny_archive, tmp_path / "out", near_duplicate=None, drop=["leak", "near_leak"])


# A person's list of what to exclude


def listed(folder: Path, text: str) -> dict[str, str]:
    """The parameter `exclude` that names a table of this content."""
    path = folder / "reviewed.csv"
    path.write_text(text, encoding="utf-8")
    return {"table": str(path), "sha256": sha256_of(path)}


@pytest.mark.parametrize(
    "text", ["rank,path,why\n1,{},no face\n", "\ufeffpath,why\r\n{},no face\r\n"]
)
def test_pictures_on_a_person_s_list_leave_training(tiny_archive, tmp_path, text):
    path = "train/happy/Training_0.jpg"
    out = indexed(tiny_archive, tmp_path / "out", exclude=listed(tmp_path, text.format(path)))
    assert reasons_of(out) == {path: "excluded"}


@pytest.mark.parametrize(
    ("text", "changed", "reason"),
    [
        (
            "path\ntrain/happy/no.jpg\n",
            {},
            "training pictures in images.zip, found train/happy/no.jpg",
        ),
        ("path\ntest/sad/PublicTest_0.jpg\n", {}, "found test/sad/PublicTest_0.jpg; remove"),
        ("name\ntrain/happy/no.jpg\n", {}, "expected a column path, found name"),
        ("path\n", {"sha256": "0" * 64}, "index.exclude.sha256: expected '0+', found [0-9a-f]{64}"),
        ("path\n", {"table": "no.csv"}, "index.exclude.table: cannot read no.csv"),
        ("path\n", {"protocol": "notebook"}, "notebook drops nothing"),
    ],
)
def test_a_list_that_cannot_be_followed_is_one_clear_line(
    tiny_archive, tmp_path, text, changed, reason
):
    protocol = changed.pop("protocol", "clean")
    exclude = listed(tmp_path, text) | changed
    with pytest.raises(PipelineError, match=reason):
        indexed(tiny_archive, tmp_path / "out", exclude=exclude, protocol=protocol)
    assert not (tmp_path / "out").exists()


def test_a_class_that_loses_its_training_pictures_is_refused_and_nothing_is_written(tmp_path):
    pictures = tiny_pictures()
    for name in [name for name in pictures if name.startswith("train/sad/")]:
        pictures[f"test/sad/PublicTest_9{name[-5:]}"] = pictures[name]
    with pytest.raises(DatasetError, match="no picture of sad left to train on"):
        indexed(make_archive(tmp_path / "images.zip", pictures), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": "fair"},
        {"drop": ["leaks"]},
        {"near_duplicate": 1.0},
        {"exclude": ""},
        {"val_fraction": 0.0},
        {"test_fraction": 1},
        {"seed": -1},
        {"on_bad_image": "warn"},
        {"labels": {"classes": 6}},
        {"shuffle": True},
    ],
)
def test_a_wrong_parameter_is_named(tiny_archive, changed):
    (name,) = changed
    with pytest.raises(ParameterError, match=rf"params\.yaml: .*'index\.{name}[.\w]*'"):
        indexed(tiny_archive, tiny_archive.parent / "out", **changed)


# FER+


def with_votes(path: Path, lines: list[str], **changed: Any) -> dict[str, Any]:
    """index.labels that name a table of votes with these lines."""
    path.write_text("\n".join(lines), encoding="utf-8")
    rules = {"targets": "majority", "classes": 7, "filter": "published"}
    named = {"source": "ferplus", "votes": str(path), "sha256": sha256_of(path)}
    return {"labels": named | rules | changed}


def joined_votes() -> list[str]:
    """Six votes for the class of each picture of the tiny set, four for fear; three are odd."""
    cast = dict.fromkeys(tiny_pictures(), "")
    for path in cast:
        cast[path] = {
            "happy": "0,6,0,0,0,0,4,0,0,0",
            "sad": "0,0,0,6,0,0,4,0,0,0",
            "angry": "0,0,0,0,6,0,4,0,0,0",
        }[path.split("/")[1]]
    cast |= {
        "train/sad/Training_0.jpg": "0,0,0,0,0,0,0,0,0,0",
        "test/happy/PublicTest_0.jpg": "0,0,0,0,0,0,0,1,9,0",
        "test/sad/PrivateTest_0.jpg": "0,5,0,0,0,5,0,0,0,0",
    }
    return [",".join(ferplus.JOINED), *(f"{path},{counts}" for path, counts in cast.items())]


def test_ferplus_labels_and_what_leaves_for_them_in_every_split(tiny_archive, tmp_path):
    labels = with_votes(tmp_path / "votes.csv", joined_votes())
    out = indexed(tiny_archive, tmp_path / "out", **labels)
    reasons = reasons_of(out)
    assert reasons == {
        "train/sad/Training_0.jpg": "no votes",
        "test/happy/PublicTest_0.jpg": "unknown",
        "test/sad/PrivateTest_0.jpg": "no majority",
    }
    table = index_of(out)
    assert "votes" not in table
    folders = table["path"].str.split("/").str[1]
    assert (table["class"] == folders.mask(table["path"].isin(reasons), "")).all()
    audit = audit_of(out)
    assert (audit["labels"], audit["ferplus"]["filter"]) == ("ferplus", "published")
    assert audit["dropped"] == {"no_majority": 1, "no_votes": 1, "unknown": 1}


def test_soft_targets_pass_the_votes_on(tiny_archive, tmp_path):
    labels = with_votes(tmp_path / "votes.csv", joined_votes(), targets="distribution")
    table = index_of(indexed(tiny_archive, tmp_path / "out", **labels)).set_index("path")
    assert list(table)[-3:] == ["dropped_because", "votes", "leak_free"]
    assert table["votes"]["train/happy/Training_1.png"] == "happy:6 fear:4"
    assert table["votes"]["train/sad/Training_0.jpg"] == ""
    assert table["votes"]["test/angry/PublicTest_0.jpg"] == "angry:6"  # a majority outside training


@pytest.mark.fer2013
def test_the_real_fer2013_has_the_faults_that_are_known(fer2013_zip, tmp_path):
    """The counts of issue 2, on the archive whose sha256 conf/data/fer2013.yaml pins."""
    conf = yaml.safe_load((ROOT / "conf/data/fer2013.yaml").read_text(encoding="utf-8"))
    conf["fetch"]["source"] = str(fer2013_zip)
    params, out = tmp_path / "fer2013.yaml", tmp_path / "index"
    params.write_text(yaml.safe_dump(conf), encoding="utf-8")
    fetch.main(["--params", str(params), "--out", str(tmp_path / "raw")])
    index.main(["--params", str(params), "--raw", str(tmp_path / "raw"), "--out", str(out)])
    (tmp_path / "raw" / "images.zip").unlink()  # 59 MiB that pytest would keep
    audit, table = audit_of(out), index_of(out)
    assert (audit["pictures"], audit["classes"], audit["blank"]) == (35_887, 7, 13)
    assert list(audit["duplicates"].values())[:3] == [1_516, 3_369, 531]
    assert audit["duplicates"]["groups_with_conflicting_labels"] == 57
    assert audit["near_duplicates"]["pairs"] == pytest.approx(4_305, abs=20)  # rounding of pixels
    found = audit["findings"]
    assert (found["duplicate"], found["almost_blank"]) == (1_853, 1)
    assert (found["size_outlier"], found["mode_outlier"]) == (0, 0)
    assert audit["used"] == {"train": 28_709 - 703, "val": 3_589, "test": 3_589}
    train = table["split"] == "train"
    leaks = train & table["sha256"].isin(table["sha256"][~train])
    assert ((table["dropped_because"] != "") == leaks).all()
