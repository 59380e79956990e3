"""read_table and write_table: what goes in comes out, and what is damaged is told in one line."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core.errors import DatasetError, PipelineError
from facial_expression.core.files import place, read_text
from facial_expression.core.tables import read_table, write_table
from tests.helpers import one_line

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\0\ufeff"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
COLUMNS = {"name": str, "count": int, "score": float}


@given(st.lists(st.tuples(TEXTS, st.integers(-(2**63), 2**63 - 1), FLOATS), min_size=1))
def test_what_is_written_is_read_again(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    write_table(path, pd.DataFrame(rows, columns=list(COLUMNS)))
    found = read_table(path, COLUMNS)
    assert found["name"].tolist() == [row[0] for row in rows]
    assert found["count"].tolist() == [row[1] for row in rows]
    assert found["score"].tolist() == [float(f"{row[2]:.6f}") for row in rows]


def test_the_bytes_are_fixed(tmp_path):
    table = pd.DataFrame({"name": ["a,b", "NA"], "count": [1, 2], "score": [-1e-9, math.nan]})
    write_table(tmp_path / "new" / "table.csv", table)
    written = (tmp_path / "new" / "table.csv").read_bytes()
    assert written == b'name,count,score\n"a,b",1,0.000000\nNA,2,\n'
    assert read_table(tmp_path / "new" / "table.csv", {})["score"].tolist() == ["0.000000", ""]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such table; run the index stage again"),
        (b"", "expected a CSV table"),
        (b"name,count,score\n", "expected rows"),
        (b"name,score\na,1\n", "expected a column count, found name, score"),
        (b"name,count,score\na,1,high\n", "column score: could not convert"),
        (b"name,count,score\n\xff,1,1\n", "expected a CSV table"),
        (b'name,count,score\n"a,1,1\n', "expected a CSV table"),
    ],
)
def test_a_damaged_table_is_told_in_one_line(tmp_path, content, said):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=one_line(str(path), said)):
        read_table(path, COLUMNS, "the index stage")


def test_a_key_that_is_there_twice_is_told(tmp_path):
    write_table(tmp_path / "people.csv", pd.DataFrame({"path": ["a", "b", "a"]}))
    assert len(read_table(tmp_path / "people.csv", {"path": str})) == 3
    with pytest.raises(DatasetError, match=r"people\.csv: path a is there twice"):
        read_table(tmp_path / "people.csv", {"path": str}, key="path")


def test_a_table_without_rows_is_one_where_that_is_fine(tmp_path):
    write_table(tmp_path / "table.csv", pd.DataFrame(columns=list(COLUMNS)))
    assert read_table(tmp_path / "table.csv", COLUMNS, empty=True).empty


def test_a_store_that_does_not_answer_is_not_called_damage():
    pytest.importorskip("upath")
    path = place("memory://nowhere/some.csv")
    for read in (lambda: read_table(path, COLUMNS), lambda: read_text(path, "the fetch stage")):
        with pytest.raises(PipelineError, match="check the address and your credentials"):
            read()
