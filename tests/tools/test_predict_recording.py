from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from facial_expression.core.errors import ParameterError
from tools.predict.recording import Output, make_folder, progress

HERE = Output("csv", Path("faces.csv"), None, quiet=False, live=False, total=lambda: 3)


@pytest.mark.parametrize(
    ("output", "terminals", "shown"),
    [
        (HERE, ("stderr",), True),
        (HERE, ("stderr", "stdout"), True),
        (HERE, (), False),
        (replace(HERE, quiet=True), ("stderr",), False),
        (replace(HERE, out=None), ("stderr",), True),  # into a pipe
        (replace(HERE, out=None), ("stderr", "stdout"), False),
    ],
)
def test_a_bar_is_drawn_where_a_terminal_shows_nothing_else(
    output: Output, terminals: tuple[str, ...], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stderr", "stdout"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda name=name: name in terminals)
    seen: list = []
    bar = progress(seen, output)
    assert (bar is not seen) == shown
    if shown:
        assert (bar.total, bar.iterable) == (3, seen)  # type: ignore[attr-defined]


def test_the_folder_of_the_drawings_is_made_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    make_folder(folder)
    make_folder(folder)
    assert list(folder.iterdir()) == []


def test_a_file_is_no_folder_of_drawings(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("here first")
    with pytest.raises(ParameterError, match=r"--draw .*file: cannot write there: File exists"):
        make_folder(path)
    assert path.read_text() == "here first"
