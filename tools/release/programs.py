"""Other programs, run for their output."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.errors import PipelineError


def output(command: Sequence[str], folder: Path) -> str:
    """What a program that is started in `folder` writes to its standard output.

    Raises:
        PipelineError: it failed; the message is the end of what it said.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())[-500:]
        raise PipelineError(f"{' '.join(command)} failed: {said}")
    return done.stdout
