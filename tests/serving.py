"""The page of tools.web as a process that may write no file, and of tools.site as a folder."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facial_expression.core.errors import SourceError
from tests.clones import ROOT, environment
from tools.site.__main__ import main as site

START = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # of every file, temporary ones included
sys.argv[0] = "tools.web"
runpy.run_module("tools.web", run_name="__main__", alter_sys=True)
"""

SILENCERS = ("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI", "GITHUB_ACTIONS", "TF_BUILD")
"""Variables that end onnxruntime's reports, which it prepares in a temporary file: left out."""


@dataclass(frozen=True)
class Served:
    """The page's address, and the process that serves it."""

    url: str
    process: subprocess.Popen[str]

    def interrupt(self) -> str:
        """Press Ctrl-C; what the process then said on standard error."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=60)[1]


@contextmanager
def served(model: Path, temporary: Path) -> Iterator[Served]:
    """The page of `model` on a free port; temporary files would stand in `temporary`."""
    alone = {key: value for key, value in environment().items() if key not in SILENCERS}
    options = ["--model", str(model), "--port", "0", "--no-browser"]
    with subprocess.Popen(
        [sys.executable, "-c", START, *options],
        cwd=ROOT,
        env={**alone, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            first = process.stdout.readline()  # comes when it listens
            assert first.startswith("http://127.0.0.1:"), first + process.stderr.read()
            yield Served(first.split()[0], process)
        finally:
            process.kill()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hosted(folder: Path, *options: str) -> Iterator[str]:
    """The address of the page that tools.site writes to `folder`; skips if npm fetches nothing."""
    try:
        site(["--out", str(folder), *options])
    except SourceError as error:
        pytest.skip(str(error))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
