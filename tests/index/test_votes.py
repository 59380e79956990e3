from __future__ import annotations

from pathlib import Path

import pytest

from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.files import sha256_of
from facial_expression.index import votes

# rows in the form of the published table; the one without a name is how it marks a lost picture
PUBLISHED = """\
Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0
Training,,0,0,0,0,0,0,0,0,0,10
PublicTest,fer0000001.png,6,0,1,1,0,0,0,0,2,0
"""
JOINED = """\
path,fer2013_row,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
train/angry/Training_1.jpg,0,4,0,0,1,3,2,0,0,0,0
train/sad/Training_2.jpg,,,,,,,,,,,
test/sad/PublicTest_9.jpg,2,6,0,1,1,0,0,0,0,2,0
"""
FIRST, LAST = (4, 0, 0, 1, 3, 2, 0, 0, 0, 0), (6, 0, 1, 1, 0, 0, 0, 0, 2, 0)
MADE = ["train/angry/Training_0.pgm", "train/sad/Training_1.pgm", "test/sad/PublicTest_2.pgm"]
COPIED = ["train/angry/Training_1.jpg", "train/sad/Training_2.jpg", "test/sad/PublicTest_9.jpg"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "votes.csv"


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "pictures"), [(PUBLISHED, MADE), (JOINED, COPIED)], ids=["published", "joined"]
)
@pytest.mark.parametrize("change", [str, lambda text: "\ufeff" + text.replace("\n", "\r\n")])
def test_both_forms_give_the_votes_of_the_pictures_that_have_some(table, text, pictures, change):
    found = votes.read(written(table, change(text)), pictures)
    assert found == {pictures[0]: FIRST, pictures[2]: LAST}


def test_a_picture_that_a_joined_table_does_not_list_has_no_votes(table):
    assert votes.read(written(table, JOINED), ["new.jpg", COPIED[0]]) == {COPIED[0]: FIRST}


@pytest.mark.parametrize(
    ("text", "pictures", "message"),
    [
        ("emotion,pixels,Usage\n0,1,Training\n", MADE, "expected the columns Usage,Image name,"),
        ("", MADE, "expected the columns .* found ''"),
        (JOINED, MADE, r"rows for pictures such as 'train/angry/Training_0\.pgm', found none"),
        (PUBLISHED, COPIED, r"expected pictures made from that file .*'train/angry/Training_1\.j"),
        (PUBLISHED, ["train/sad/Training_2.pgm"], "line 4: .* Usage Training .* 'PublicTest'"),
        (PUBLISHED, ["train/sad/Training_3.pgm"], "line 5: .* Usage Training .* found ''"),
        (JOINED.replace(",3,2,", ",x,2,"), COPIED, "line 2: expected 10 counts of votes"),
        (JOINED.replace(",3,2,", ",,2,"), COPIED, "line 2: expected 10 counts of votes"),
        (JOINED.replace(",0,2,0\n", ",0\n"), COPIED, "line 4: expected 10 counts of votes"),
        (PUBLISHED.replace(",3,2,", ",-3,2,"), MADE, "line 2: expected 10 counts of votes"),
        (PUBLISHED.replace(",3,2,", ",3,"), MADE, "line 2: expected 10 counts of votes"),
        (JOINED + JOINED.splitlines()[1], COPIED, "line 5: .*Training_1.jpg stands there twice"),
    ],
)
def test_what_is_no_table_for_these_pictures_is_one_line(table, text, pictures, message):
    with pytest.raises(DatasetError, match=message) as caught:
        votes.read(written(table, text), pictures)
    assert str(caught.value).startswith(f"{table}: ")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_one_line(table):
    table.write_bytes(b"path,\xff\n")
    with pytest.raises(DatasetError, match="expected a CSV table of votes"):
        votes.read(table, COPIED)


def test_another_file_than_the_pinned_one_is_refused(table):
    written(table, JOINED)
    pin = sha256_of(table)
    assert votes.read_pinned(str(table), pin, COPIED)[COPIED[2]] == LAST
    with pytest.raises(ParameterError, match=rf"index\.labels\.sha256: expected '', found {pin}"):
        votes.read_pinned(str(table), "", COPIED)
    with pytest.raises(ParameterError, match=r"index\.labels\.votes: cannot read .*gone\.csv: No"):
        votes.read_pinned(str(table.with_name("gone.csv")), pin, COPIED)
    with pytest.raises(ParameterError, match=r"index\.labels\.votes: expected the path .* ''"):
        votes.read_pinned("", "", COPIED)


def test_a_short_row_belongs_to_no_picture(tmp_path):
    table = tmp_path / "votes.csv"
    header = ",".join(["row", *votes.COLUMNS, "path"])
    counts = ",".join("6400000000")
    table.write_text(f"{header}\n1,{counts},train/sad/a.png\n2\n", encoding="utf-8")
    found = votes.read(table, ["train/sad/a.png"])
    assert found == {"train/sad/a.png": (6, 4, 0, 0, 0, 0, 0, 0, 0, 0)}
