import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.inference.boxes import Box
from facial_expression.inference.pipeline import Face, Result
from tools.predict.formats import FORMATS, as_table

CLASSES = ("angry", "happy")
SURE = Face(Box(10.25, -2, 30, 40, 0.875), np.array([0.125, 0.875], np.float32), CLASSES)
EVEN = Face(Box(0, 0, 5, 5, 0.75), np.array([0.5, 0.5], np.float32), CLASSES)
TWO = Result("a.png", None, (640, 480), (SURE, EVEN))
FRAME = Result("clip.avi", 12, (64, 48), (SURE,), seconds=0.48)
NONE = Result("wall.png", None, (64, 48))
TORN = Result("torn.png", None, error="truncated file")


def text(kind: str, *results: Result) -> str:
    header, lines = FORMATS[kind](CLASSES)
    return header + "".join(map(lines, results))


def test_csv_has_a_line_per_face():
    assert text("csv", TWO, NONE, TORN, FRAME).split("\n") == [
        "path,frame,seconds,left,top,width,height,score,label,angry,happy,entropy",
        "a.png,,,10.250000,-2.000000,30.000000,40.000000,0.875000,happy,0.125000,0.875000,0.376770",
        "a.png,,,0.000000,0.000000,5.000000,5.000000,0.750000,angry,0.500000,0.500000,0.693147",
        "clip.avi,12,0.480000,10.250000,-2.000000,30.000000,40.000000,0.875000,happy,0.125000,0.875000,"
        "0.376770",
        "",
    ]


def about(path: str) -> dict[str, object]:
    return {"path": path, "frame": None, "seconds": None}


def test_jsonl_distinguishes_no_face_from_unreadable():
    two, none, torn, frame = map(json.loads, text("jsonl", TWO, NONE, TORN, FRAME).splitlines())
    assert none == about("wall.png") | {"width": 64, "height": 48, "faces": []}
    assert torn == about("torn.png") | {"error": "truncated file"}
    assert [face["label"] for face in two["faces"]] == ["happy", "angry"]
    assert (frame["frame"], frame["seconds"]) == (12, 0.48)
    assert frame["faces"] == [
        {
            "box": {"left": 10.25, "top": -2.0, "width": 30.0, "height": 40.0},
            "score": 0.875,
            "label": "happy",
            "probabilities": {"angry": 0.125, "happy": 0.875},
            "entropy": 0.37677,
        }
    ]


def test_the_table_has_a_line_per_face_with_columns_under_their_names():
    header, *lines = text("table", TWO, NONE, TORN, FRAME).splitlines()
    names = header.split()
    assert [dict(zip(names, line.split(), strict=True)) for line in lines][2] == {
        "label": "happy", "angry": "12.5", "happy": "87.5", "entropy": "0.377", "left": "10",
        "top": "-2", "width": "30", "height": "40", "frame": "12", "seconds": "0.48",
        "path": "clip.avi",
    }  # fmt: skip
    assert len(lines) == 3
    assert {line.index(line.split()[-1]) for line in lines} == {header.index("path")}


def test_a_narrow_terminal_has_the_path_above_its_faces():
    header, lines = as_table(CLASSES, 60)
    shown = "".join([header, *map(lines, (TWO, NONE, FRAME))]).splitlines()
    assert shown[0].split() == ["label", "angry", "happy", "entropy"]
    first = [line.split()[0] for line in shown[1:]]
    assert first == ["a.png", "happy", "angry", "clip.avi,", "happy"]
    assert max(map(len, shown)) <= 60
    assert as_table(CLASSES, 120)[0] == as_table(CLASSES)[0]


@given(st.text(min_size=1))
def test_any_name_survives_csv_and_jsonl_and_stays_one_line_in_a_table(path):
    result = Result(path, None, (9, 9), (SURE,))
    (row,) = csv.DictReader(io.StringIO(text("csv", result), newline=""))
    assert row["path"] == path
    (line,) = text("jsonl", result).split("\n")[:-1]
    assert json.loads(line)["path"] == path
    _, line, end = text("table", result).split("\n")
    assert line.isprintable(), "it cannot control a terminal"
    assert end == ""


@pytest.mark.parametrize("kind", FORMATS)
def test_a_name_that_is_not_utf_8_can_be_written(kind):
    path = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    assert b"caf\\" in text(kind, Result(path, None, (9, 9), (SURE,))).encode("utf-8")
