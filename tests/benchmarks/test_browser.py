from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import browser
from facial_expression.core.errors import SourceError
from tests.browsing import needs_chromium
from tests.networks import tiny_network


@needs_chromium
@pytest.mark.extra
@pytest.mark.slow
def test_the_page_is_timed_and_weighed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(browser, "CLASSIFY", 3)
    monkeypatch.setattr(browser, "ANSWERS", 2)
    try:
        with ThreadPoolExecutor(1) as apart:  # other tests keep Playwright's loop in this thread
            apart.submit(
                browser.main, ["--model", str(tiny_network(tmp_path / "tiny.onnx"))]
            ).result()
    except SourceError as error:
        pytest.skip(str(error))
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if "| " in line]
    assert [row[0].strip() for row in rows[1:]] == [
        "one face classified", "a photograph answered", "the two networks",
    ]  # fmt: skip
    assert all(float(row[1].split()[0]) > 0 for row in rows[1:3])
    assert [row[2].strip() for row in rows[1:3]] == ["3", "2"]
