from __future__ import annotations

from pathlib import Path

import pytest

from facial_expression.core.errors import DatasetError
from facial_expression.plot.tables import position, table


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_rows_of_a_table_with_the_columns_that_are_needed(tmp_path):
    path = written(tmp_path, "a,b,c\n1,2,3\n4,5,6\n")
    assert table(path, "c", "a") == [{"a": "1", "b": "2", "c": "3"}, {"a": "4", "b": "5", "c": "6"}]


def test_a_table_without_rows_is_refused_unless_it_may_be_empty(tmp_path):
    path = written(tmp_path, "a,b\n")
    assert table(path, "a", may_be_empty=True) == []
    with pytest.raises(DatasetError, match="expected columns a and rows, found no row"):
        table(path, "a")


def test_a_missing_column_and_a_missing_table_are_named(tmp_path):
    with pytest.raises(DatasetError, match="expected columns a, z and rows, found columns a, b"):
        table(written(tmp_path, "a,b\n1,2\n"), "a", "z", may_be_empty=True)
    with pytest.raises(DatasetError, match="no such table"):
        table(tmp_path / "no.csv", "a", may_be_empty=True)


def test_the_position_of_a_class_is_its_label(tmp_path):
    assert position("sad", ["happy", "sad"], tmp_path) == 1
    with pytest.raises(DatasetError, match="expected a class of happy, sad, found 'glad'"):
        position("glad", ["happy", "sad"], tmp_path)
