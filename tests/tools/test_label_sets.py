from pathlib import Path

import pandas as pd
import pytest

from facial_expression.core.errors import DatasetError
from facial_expression.core.tables import write_table
from facial_expression.index.ferplus import COLUMNS
from tools import label_sets

# path, predicted, votes: the folder says what the path says
PICTURES = [
    ("test/happy/a.jpg", "happy", {"happiness": 10}),
    ("test/happy/b.jpg", "neutral", {"neutral": 9, "happiness": 1}),  # FER+ sides with the model
    ("test/happy/c.jpg", "happy", {"neutral": 5, "happiness": 4, "NF": 1}),
    ("test/neutral/d.jpg", "neutral", {"sadness": 5, "neutral": 5}),  # no majority
    ("test/sad/e.jpg", "sad", {"unknown": 10}),
    ("test/sad/f.jpg", "sad", {"contempt": 7, "sadness": 3}),
    ("test/sad/g.jpg", "neutral", {}),
]
SEVEN = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]


@pytest.fixture
def votes(tmp_path) -> Path:
    rows = [
        (path, *(given.get(column, 0) if given else "" for column in COLUMNS))
        for path, _, given in PICTURES
    ]
    write_table(tmp_path / "votes.csv", pd.DataFrame(rows, columns=["path", *COLUMNS]))
    return tmp_path / "votes.csv"


def predictions(path: Path, classes: list[str] = SEVEN) -> Path:
    rows = [
        (name, "ignored", guess, *(float(guess == c) for c in classes))
        for name, guess, _ in PICTURES
    ]
    columns = ["path", "actual", "predicted", *classes]
    write_table(path, pd.DataFrame(rows, columns=columns))
    return path


def cells(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_both_label_sets_are_scored_on_the_same_pictures(votes, tmp_path, capsys):
    out = tmp_path / "table.md"
    label_sets.main(
        [str(predictions(tmp_path / "val.csv")), "--votes", str(votes), "--out", str(out)]
    )
    said = capsys.readouterr().out
    assert out.read_text(encoding="utf-8") == said
    rows = cells(said)[2:]
    assert [row[1:4] for row in rows] == [
        ["7", "folders", "71.43 %"],  # 5 of 7
        ["4", "folders", "75.00 %"],  # a, b, c, d
        ["4", "FER+", "75.00 %"],  # a and b, and d by the order of columns; not c
        ["3", "folders", "66.67 %"],  # a, b, c
        ["3", "FER+", "66.67 %"],
    ]
    assert said.endswith(
        "The folder's label is the FER+ label for 50.00 % of 4 pictures (filter none) and "
        "33.33 % of 3 pictures (filter published).\n"
    )


def test_a_model_that_knows_contempt_is_scored_on_eight_classes(votes, tmp_path, capsys):
    path = predictions(tmp_path / "val.csv", sorted([*SEVEN, "contempt"]))
    label_sets.main([str(path), "--votes", str(votes)])
    rows = cells(capsys.readouterr().out)[2:]
    assert [row[1] for row in rows] == ["7", "5", "5", "4", "4"]
    seven = predictions(tmp_path / "seven.csv")
    label_sets.main([str(seven), "--votes", str(votes)])
    assert rows[0] == cells(capsys.readouterr().out)[2], "no folder is called contempt"


def test_what_cannot_be_scored_is_one_line(votes, tmp_path):
    with pytest.raises(DatasetError, match="expected a column actual, predicted"):
        label_sets.main([str(votes), "--votes", str(votes)])
    path = predictions(tmp_path / "val.csv", ["happy", "neutral"])
    with pytest.raises(DatasetError, match="classes happy, neutral, found sad; "):
        label_sets.main([str(path), "--votes", str(votes)])
