from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.inference.boxes import Box
from facial_expression.inference.pipeline import Face, Seen
from facial_expression.inference.records import FORMATS, printable

CLASSES = ("angry", "happy")
SURE = Face(Box(10.25, -2, 30, 40, 0.875), np.array([0.125, 0.875], np.float32))
EVEN = Face(Box(0, 0, 5, 5, 0.75), np.array([0.5, 0.5], np.float32))
TWO = Seen("a.png", None, (640, 480), (SURE, EVEN))
FRAME = Seen("clip.avi", 12, (64, 48), (SURE,))
NONE = Seen("wall.png", None, (64, 48))
TORN = Seen("torn.png", None, error="truncated file")


def text(kind: str, *seen: Seen) -> str:
    head, lines = FORMATS[kind](CLASSES)
    return head + "".join(map(lines, seen))


def test_csv_has_a_line_a_face():
    assert text("csv", TWO, NONE, TORN, FRAME).split("\n") == [
        "path,frame,left,top,width,height,score,label,angry,happy,entropy",
        "a.png,,10.250000,-2.000000,30.000000,40.000000,0.875000,happy,0.125000,0.875000,0.376770",
        "a.png,,0.000000,0.000000,5.000000,5.000000,0.750000,angry,0.500000,0.500000,0.693147",
        "clip.avi,12,10.250000,-2.000000,30.000000,40.000000,0.875000,happy,0.125000,0.875000,"
        "0.376770",
        "",
    ]


def test_jsonl_tells_no_face_from_not_read():
    two, none, torn, frame = map(json.loads, text("jsonl", TWO, NONE, TORN, FRAME).splitlines())
    assert none == {"path": "wall.png", "frame": None, "width": 64, "height": 48, "faces": []}
    assert torn == {"path": "torn.png", "frame": None, "error": "truncated file"}
    assert [face["label"] for face in two["faces"]] == ["happy", "angry"]
    assert frame["frame"] == 12
    assert frame["faces"] == [
        {
            "box": {"left": 10.25, "top": -2.0, "width": 30.0, "height": 40.0},
            "score": 0.875,
            "label": "happy",
            "probabilities": {"angry": 0.125, "happy": 0.875},
            "entropy": 0.37677,
        }
    ]


def test_the_table_is_aligned():
    lines = text("table", TWO, NONE, TORN, FRAME).splitlines()
    assert lines == [
        "label  angry  happy  entropy   left    top  width height  frame  path",
        "happy   12.5   87.5    0.377     10     -2     30     40      -  a.png",
        "angry   50.0   50.0    0.693      0      0      5      5      -  a.png",
        "happy   12.5   87.5    0.377     10     -2     30     40     12  clip.avi",
    ]


@given(st.text(min_size=1))
def test_any_name_survives_csv_and_jsonl(path: str):
    seen = Seen(path, None, (9, 9), (SURE,))
    (row,) = csv.DictReader(io.StringIO(text("csv", seen), newline=""))
    assert row["path"] == path
    (line,) = text("jsonl", seen).split("\n")[:-1]
    assert json.loads(line)["path"] == path


@given(st.text())
def test_a_table_has_a_line_a_face_whatever_the_name(path: str):
    lines = text("table", Seen(path, None, (9, 9), (SURE,))).split("\n")
    assert len(lines) == 3
    assert lines[1].isprintable()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_name_of_other_bytes_can_be_written(kind: str):
    path = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    written = text(kind, Seen(path, None, (9, 9), (SURE,)))
    assert b"caf\\" in written.encode("utf-8")


def test_a_name_cannot_steer_a_terminal():
    assert printable("a\x1b[2J\nb ü.png") == r"a\x1b[2J\nb ü.png"


def test_probabilities_of_a_class_stand_in_its_column():
    columns: dict[str, Any] = next(csv.DictReader(io.StringIO(text("csv", FRAME))))
    assert (columns["angry"], columns["happy"]) == ("0.125000", "0.875000")
