from __future__ import annotations

from pathlib import Path

import pytest

from facial_expression.core.errors import DatasetError
from facial_expression.core.labels import read_classes


def test_classes_are_read_in_label_order(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('["angry", "größe", "sad"]\n', encoding="utf-8")
    assert read_classes(tmp_path / "classes.json") == ["angry", "größe", "sad"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        '{"a": 0}',
        '"ab"',
        "null",
        '["b", "a"]',
        '["a", "a"]',
        "[1, 2]",
        '["a", 1]',
        "[[]]",
    ],
)
def test_what_is_no_list_of_sorted_names_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "classes.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"classes\.json: expected") as caught:
        read_classes(path)
    assert "\n" not in str(caught.value)
