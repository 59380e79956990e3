import pytest

from facial_expression.core.errors import DatasetError
from facial_expression.core.labels import read_classes
from tests.helpers import one_line


def test_classes_are_read_in_label_order(tmp_path):
    (tmp_path / "classes.json").write_text('["angry", "größe", "sad"]\n', encoding="utf-8")
    assert read_classes(tmp_path / "classes.json") == ["angry", "größe", "sad"]


@pytest.mark.parametrize(
    "text", [None, "", "{", '{"a": 0}', '"ab"', '["a", "a"]', '["a", 1]', "[[]]"]
)
def test_what_is_no_list_of_distinct_names_is_refused(tmp_path, text):
    path = tmp_path / "classes.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=one_line("classes.json: expected")):
        read_classes(path)
