from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.clones import ROOT, environment


@pytest.mark.parametrize(
    "tool",
    [
        "compare",
        "ensemble",
        "evaluate",
        "label_errors",
        "narrow",
        "pictures",
        "predict",
        "quantise",
        "report",
        "robustness",
        "web",
    ],
)
def test_help_says_what_a_tool_reads_and_writes_and_imports_nothing_heavy(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", f"tools.{tool}", "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert f"usage: python -m tools.{tool}" in done.stdout
    assert re.search(r"\breads?\b", done.stdout, re.IGNORECASE)
    assert re.search(r"\bwrites?\b", done.stdout, re.IGNORECASE)
    lines = done.stderr.split("\n")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "argparse" in imported, "the list is there"
    assert not {"tensorflow", "keras", "sklearn", "matplotlib", "dvc"} & imported
