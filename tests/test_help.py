"""`--help` of every stage and tool says what it reads and writes, and is quick."""

import re
import subprocess
import sys

import pytest

from tests.clones import ROOT, environment

STAGES = sorted(f"stages.{path.stem}" for path in (ROOT / "stages").glob("[a-z]*.py"))
TOOLS = "compare ensemble evaluate label_errors label_sets narrow pictures predict quantise report"
LAST = ("info", "robustness", "sface", "site", "sweep", "web")
COMMANDS = [*STAGES, *(f"tools.{name}" for name in [*TOOLS.split(), *LAST])]
HEAVY = {
    "tensorflow",
    "keras",
    "jax",
    "sklearn",
    "matplotlib",
    "dvc",
    "fsspec",
    "optuna",
    "distributed",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_is_read_and_written_and_imports_nothing_heavy(command):
    """`-X importtime` lists every import of the run, the lazy ones inside functions as well."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", command, "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert f"usage: python -m {command}" in done.stdout
    assert re.search(r"\breads?\b", done.stdout, re.IGNORECASE)
    assert re.search(r"\bwrites?\b", done.stdout, re.IGNORECASE)
    lines = done.stderr.split("\n")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "argparse" in imported, "the list is there"
    assert not HEAVY & imported
