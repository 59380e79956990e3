from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder

from facial_expression.core.errors import DatasetError
from facial_expression.core.labels import FER2013_IDS, class_order, read_classes

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=5)


@given(st.lists(NAMES, min_size=1))
def test_the_order_is_that_of_the_seed_s_label_encoder(names: list[str]) -> None:
    assert class_order(names) == list(LabelEncoder().fit(names).classes_)


def test_the_challenge_s_ids_are_the_seven_classes_in_another_order() -> None:
    assert len(FER2013_IDS) == 7
    assert list(FER2013_IDS) != class_order(FER2013_IDS)
    assert FER2013_IDS[6] == "neutral"


def test_classes_are_read_in_label_order(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('["angry", "größe", "sad"]\n', encoding="utf-8")
    assert read_classes(tmp_path / "classes.json") == ["angry", "größe", "sad"]


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"a": 0}', '"ab"', "null", '["b", "a"]', '["a", "a"]', "[1, 2]", '["a", 1]', "[[]]"],
)
def test_what_is_no_list_of_sorted_names_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"classes\.json: expected") as caught:
        read_classes(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.json"):
        read_classes(tmp_path / "none.json")
