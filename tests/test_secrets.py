"""Secrets that are planted where people put them, and everything that a run prints and writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clones import ROOT, environment
from tests.remote_servers import mirror

PLANTED = ("planted-key", "planted-token", "words")  # the last one is the server's password


def fetch(out: Path, source: str, sha256: str) -> str:
    """Run the stage with this source; what it printed, after a look for secrets."""
    params = out / "folder.yaml"
    section = {"source": source, "sha256": sha256, "licence": "none"}
    params.write_text(json.dumps({"fetch": section}), encoding="utf-8")
    keys = {"AWS_ACCESS_KEY_ID": "planted-key", "AWS_SECRET_ACCESS_KEY": "planted-key"}
    done = subprocess.run(
        [sys.executable, "-m", "stages.fetch", "--params", params, "--out", out / "raw"],
        cwd=ROOT,
        env=environment() | keys,
        capture_output=True,
        text=True,
        check=False,
    )
    params.unlink()
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    for secret in PLANTED:
        assert secret not in done.stdout + done.stderr
        assert not any(secret.encode() in data for data in written)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_no_secret_is_printed_or_written(tiny_fer2013, tmp_path):
    archive, sha256 = tiny_fer2013
    with mirror(archive.parent) as (url, _):
        address = url.replace("//", "//reader:words@") + "/tiny.zip?token=planted-token"
        assert "fetched 30 pictures" in fetch(tmp_path, address, sha256)
        assert "note: fetch.source holds a secret" in fetch(tmp_path, address, sha256)
        assert "expects" in fetch(tmp_path, address, "0" * 64)
        wrong = address.replace("reader", "planted-key")
        assert "401" in fetch(tmp_path, wrong, sha256)
    assert "check your connection" in fetch(tmp_path, address, sha256)  # nobody answers
