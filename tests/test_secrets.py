"""Secrets that are planted where people put them, and everything that a run prints and writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clones import ROOT, copied, environment, run
from tests.remote_servers import BUCKET, Moto, mirror, running

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


@pytest.mark.pipeline
@pytest.mark.slow
def test_keys_of_s3_are_in_nothing_that_a_run_prints_or_writes(pulled, tmp_path, monkeypatch):
    clone = copied(pulled, tmp_path / "clone")
    source = "data/source/sample/faces.zip"
    params = clone / "conf/data/sample.yaml"
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace(source, f"s3://{BUCKET}/faces.zip"), encoding="utf-8")
    with running(Moto, tmp_path / "s3") as server:
        server.client().upload_file(str(clone / source), BUCKET, "faces.zip")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret)
        told = run(clone, "dvc", "repro", "fetch")
        assert "fetched 1400 pictures" in told
        told += run(clone, "python", "-m", "tools.report")
        for name in ("dvc.lock", "data/raw/source.json", "data/report.html"):
            assert f"s3://{BUCKET}/faces.zip" in (clone / name).read_text(encoding="utf-8")
        written = [path.read_bytes() for path in clone.rglob("*") if path.is_file()]
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret + "x")
        refused = run(clone, "dvc", "repro", "--force", "fetch", check=False)
        assert "check the address and your credentials" in refused
    for secret in (server.key, server.secret):
        assert secret not in told + refused
        assert not any(secret.encode() in data for data in written)
