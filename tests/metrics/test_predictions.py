from __future__ import annotations

import pytest

from facial_expression.core.errors import DatasetError
from facial_expression.metrics.predictions import Predictions, aligned, parse

TEXT = "path,actual,predicted,happy,sad\nb.png,sad,sad,0.2,0.8\na.png,happy,sad,0.4,0.6\n"


def test_a_table_is_read() -> None:
    found = parse(TEXT, "main")
    assert found.classes == ["happy", "sad"]
    assert found.rows == {"b.png": ("sad", "sad"), "a.png": ("happy", "sad")}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found none"),
        ("path,actual\n", "found path, actual;"),
        ("path,actual,predicted,happy,sad\n", "0 rows for 0 pictures"),
        (TEXT + "a.png,sad,sad,0,1\n", "3 rows for 2 pictures"),
        (TEXT + "c.png,sad,angry,0,1\n", r"the classes \['angry'\]"),
        (TEXT + "c.png,sad\n", r"the classes \['None'\]"),
    ],
)
def test_what_is_no_table_is_refused(text: str, found: str) -> None:
    with pytest.raises(DatasetError, match=f"^main: expected predictions .*{found}") as caught:
        parse(text, "main")
    assert "\n" not in str(caught.value)


def test_runs_are_joined_by_path_whatever_their_order() -> None:
    one = parse(TEXT, "one")
    header, first, second = TEXT.splitlines(keepends=True)
    other = parse(header + second.replace("happy,sad", "happy,happy") + first, "other")
    actual, (a, b) = aligned([one, other])
    assert actual.tolist() == [1, 0]
    assert a.tolist() == [1, 1]
    assert b.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ({"a": ("x", "x")}, "1 pictures only in one, 0 only in other and 0 of the 1 shared"),
        (
            {"a": ("x", "x"), "c": ("x", "x"), "d": ("y", "y")},
            "1 pictures only in one, 2 only in other and 0 of the 1 shared",
        ),
        ({"a": ("y", "x"), "b": ("y", "x")}, "0 only in other and 1 of the 2 shared"),
    ],
)
def test_other_pictures_and_labels_are_counted(
    rows: dict[str, tuple[str, str]], found: str
) -> None:
    one = Predictions("one", ["x", "y"], {"a": ("x", "y"), "b": ("y", "y")})
    with pytest.raises(DatasetError, match=found) as caught:
        aligned([one, one, Predictions("other", ["x", "y"], rows)])
    assert "\n" not in str(caught.value)


def test_other_classes_are_named() -> None:
    rows = {"a": ("x", "x")}
    with pytest.raises(DatasetError, match="found x, y and x, z"):
        aligned([Predictions("one", ["x", "y"], rows), Predictions("other", ["x", "z"], rows)])
