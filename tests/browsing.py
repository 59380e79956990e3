"""The Chromium that is installed, if any, as tests use it: without a network."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
QUIET = "no-first-run disable-background-networking disable-component-update disable-sync"
FLAGS = f"headless no-sandbox disable-gpu {QUIET} allow-file-access-from-files hide-scrollbars"


def dumped(page: Path, profile: Path, width: int = 1400) -> str:
    """The document (HTML) after a browser without a network has run the page's scripts.

    `width` is the window's, in pixels; Chromium's narrowest is 500.
    """
    command = [
        CHROMIUM,
        *(f"--{flag}" for flag in FLAGS.split()),
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
        f"--window-size={width},1000",
        "--virtual-time-budget=10000",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def assert_asks_for_nothing(html: str) -> None:
    """No element and no style of the page names something outside it."""
    assert not re.findall(
        r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)\s*=\s*.?(?:https?:)?//", html
    )
    assert not re.findall(r"@import|url\(\s*.?https?:", html)
