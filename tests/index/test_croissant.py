import json
from pathlib import Path
from typing import Any

import pytest

from facial_expression.core.files import sha256_of
from tests.helpers import make_archive, tiny_pictures
from tests.index.test_stage import index_of, indexed

PEOPLE = "path,group,sex\ntrain/sad/Training_0.jpg,p1,female\n"


def described(out: Path) -> dict[str, Any]:
    return json.loads((out / "croissant.json").read_text(encoding="utf-8"))


def test_the_description_says_what_is_known_and_only_that(tiny_archive, tmp_path):
    out = indexed(tiny_archive, tmp_path / "out", people=PEOPLE)
    said = described(out)
    assert (said["name"], said["license"]) == ("tiny", "made for a test")
    assert "30 pictures, of which 30 are used" in said["description"]
    files = {file["@id"]: file.get("sha256") for file in said["distribution"]}
    assert files["images.zip"] == sha256_of(tiny_archive)
    assert files["index.csv"] == sha256_of(out / "index.csv")
    records = {of["@id"]: of for of in said["recordSet"]}
    assert [row["split/name"] for row in records["split"]["data"]] == ["train", "val", "test"]
    assert [row["class/name"] for row in records["class"]["data"]] == ["angry", "happy", "sad"]
    assert records["counts"]["data"][0] == {
        **{"counts/class": "angry", "counts/split": "train", "counts/count": 6}
    }
    assert [field["name"] for field in records["index"]["field"]] == list(index_of(out))
    assert said["rai:dataBiases"] == "drawn"
    assert "rai:dataAnnotationAnalysis" not in said
    assert said["rai:personalSensitiveInformation"] == ["group: person, subject or clip", "sex"]
    plain = described(indexed(tiny_archive, tmp_path / "plain"))
    assert "rai:personalSensitiveInformation" not in plain
    assert plain["rai:dataLimitations"][:2] == [
        *("groups of equal pictures: 0, of 0 files", "pairs of near-duplicates: 0")
    ]


@pytest.mark.extra
def test_the_reader_of_its_authors_finds_no_error_and_reads_the_rows(tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant", reason="needs requirements-extras.txt")

    raw = tmp_path / "raw"
    raw.mkdir()
    images = make_archive(raw / "images.zip", tiny_pictures())
    out = indexed(images, tmp_path / "index", people=PEOPLE)
    dataset = mlcroissant.Dataset(out / "croissant.json")  # raises an error that it finds
    assert not dataset.metadata.ctx.issues.errors
    rows = list(dataset.records("index"))  # checks the sha256 of index.csv
    assert [row["index/path"].decode() for row in rows] == index_of(out)["path"].tolist()
