from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

STAGES = sorted(path.stem for path in (Path(__file__).parents[2] / "stages").glob("[a-z]*.py"))
LIGHT = ["fetch", "index", "plot", "preprocess"]  # they start without TensorFlow


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def test_the_light_stages_are_stages() -> None:
    assert set(LIGHT) < set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_help_says_what_the_stage_reads_and_writes(stage: str) -> None:
    done = python("-m", f"stages.{stage}", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: python -m stages.{stage}" in done.stdout
    assert re.search(r"\breads?\b", done.stdout, re.IGNORECASE)
    assert re.search(r"\bwrites?\b", done.stdout, re.IGNORECASE)
    assert "--out" in done.stdout


@pytest.mark.parametrize("stage", STAGES)
def test_help_imports_nothing_heavy(stage: str) -> None:
    """`-X importtime` lists every import of the run, the lazy ones inside functions as well."""
    done = python("-X", "importtime", "-m", f"stages.{stage}", "--help")
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.split("\n")
    }
    assert {"argparse", "pydantic"} < imported, "the list is there"
    assert not {"tensorflow", "keras", "jax", "torch", "sklearn"} & imported
    assert not {"matplotlib", "fsspec", "aiohttp", "kagglehub", "gdown", "s3fs"} & imported


@pytest.mark.parametrize("stage", LIGHT)
def test_every_module_of_a_light_stage_is_light(stage: str) -> None:
    """All of them, those that it imports lazily included."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.test_structure import ROOT, closure\n"
        f"for path in sorted(closure(ROOT / 'stages' / '{stage}.py')):\n"
        "    __import__('.'.join(path.relative_to(ROOT).with_suffix('').parts))\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'jax', 'torch'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("stage", STAGES)
def test_a_missing_argument_is_refused_with_the_usage(stage: str) -> None:
    done = python("-m", f"stages.{stage}")
    assert done.returncode == 2
    assert "the following arguments are required: --params" in done.stderr
