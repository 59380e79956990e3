from __future__ import annotations

from pathlib import Path

import pytest

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import write_csv
from facial_expression.metrics.leaks import read_leaks

HEADER = ("path", "kind", "partner", "score")


def findings(path: Path, *rows: tuple[object, ...]) -> Path:
    write_csv(path / "audit.csv", HEADER, rows)
    return path / "audit.csv"


def test_both_of_a_pair_leak_and_other_findings_do_not(tmp_path: Path) -> None:
    path = findings(
        tmp_path,
        ("train/a/1.png", "duplicate", "test/a/2.png", 1.0),
        ("val/a/3.png", "near_duplicate", "val/b/4.png", 0.97),
        ("val/a/5.png", "blank", None, 1.0),
        ("val/a/6.png", "conflicting_label", "val/b/7.png", 1.0),
        ("val/a/8.png", "size_outlier", None, 0.5),
    )
    assert read_leaks(path) == {"train/a/1.png", "test/a/2.png", "val/a/3.png", "val/b/4.png"}


def test_a_set_without_a_finding_has_no_leak(tmp_path: Path) -> None:
    assert read_leaks(findings(tmp_path)) == set()


@pytest.mark.parametrize("text", [None, "path,partner\na,b\n", b"\xff\xfe\nx\n"])
def test_what_is_no_table_of_findings_is_refused(tmp_path: Path, text: str | bytes | None) -> None:
    path = tmp_path / "audit.csv"
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(DatasetError, match=r"audit\.csv: expected a table of findings") as caught:
        read_leaks(path)
    assert "\n" not in str(caught.value)
