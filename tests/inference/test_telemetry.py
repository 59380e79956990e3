"""onnxruntime sends reports to its maker unless a variable is set before it is imported."""

import os
import subprocess
import sys

import pytest

from tests.clones import ROOT, environment

SCRIPT = "import os, facial_expression.inference; print(os.environ['ORT_DISABLE_TELEMETRY'])"


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("0", "0")])
def test_reports_are_off_unless_the_user_switches_them_on(given, kept):
    there = environment()
    there.pop("ORT_DISABLE_TELEMETRY", None)
    there |= {} if given is None else {"ORT_DISABLE_TELEMETRY": given}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, env=there, capture_output=True, text=True, check=True)
    assert done.stdout == f"{kept}{os.linesep}"
