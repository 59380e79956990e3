"""Faults on the real pipeline: nothing is lost, and what a user sees names what to do."""

import contextlib
import http.server
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image

from benchmarks.kills import STAGES, forget, kills, undisturbed
from benchmarks.measuring import watched
from facial_expression.core import errors
from facial_expression.core.files import HALF, sha256_of
from tests.clones import ROOT, copied, environment, make_clone, run, stages_run, started
from tests.helpers import make_archive, tiny_pictures
from tests.networks import tiny_network

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

INDEX = ("dvc", "repro", "--force", "--single-item", "index")
PAGE = 4096  # bytes
LEFT = f".x{HALF}"  # ends the name of what a killed run left


@pytest.fixture
def clone(pulled, tmp_path) -> Path:
    return copied(pulled, tmp_path / "clone")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Path, dict[str, float]]:
    """A clone that has run on a twentieth of the sample, for one epoch; the seconds of a stage."""
    clone = make_clone(tmp_path_factory.mktemp("small") / "clone")
    archive = clone / "data/source/sample/faces.zip"
    with zipfile.ZipFile(archive) as sample:
        pictures = {name: sample.read(name) for name in sorted(sample.namelist())[::20]}
    make_archive(archive, pictures)
    for name, key, value in (
        ("conf/data/sample.yaml", "sha256", sha256_of(archive)),
        ("conf/data/sample.yaml", "splits", "[val]"),
        ("conf/recipe/sample.yaml", "epochs", "1"),
        ("params.yaml", "dpi", "50"),
    ):
        text = (clone / name).read_text(encoding="utf-8")
        text = re.sub(rf"(?m)^( +{key}:) .*", rf"\1 {value}", text, count=1)
        (clone / name).write_text(text, encoding="utf-8")
    return clone, undisturbed(clone)


def clean(clone: Path) -> bool:
    """Whether every output is as the committed lock says, and no temporary file is left."""
    assert "up to date" in run(clone, "dvc", "status", "dvc.yaml")
    assert run(clone, "git", "status", "--porcelain") == ""
    return not list((clone / "data").rglob(f".*{HALF}"))


def said(command: list[str]) -> tuple[int, str]:
    """Exit code and standard error of a stage or tool."""
    whole = [sys.executable, "-m", *command]
    done = subprocess.run(whole, env=environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def preprocess(clone: Path, out: Path) -> list[str]:
    files = {"params": "params.yaml", "images": "data/raw/images.zip"}
    files["index"] = "data/index/index.csv"
    options = [part for key, name in files.items() for part in (f"--{key}", str(clone / name))]
    return ["stages.preprocess", *options, "--out", str(out)]


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory of its own; the test is skipped where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, check=False).returncode:
        pytest.skip("this machine allows no mounts")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


# Kills


def test_every_stage_killed_in_two_ways_ends_like_an_undisturbed_one(small, tmp_path):
    """`benchmarks.kills` kills it in every way."""
    clone = copied(small[0], tmp_path / "clone")
    ends = dict(kills(clone, small[1], 2 * len(STAGES), seed=2))
    assert {done: end for done, end in ends.items() if not end.startswith("equal")} == {}
    assert len(ends) == 14
    assert clean(clone)


def test_a_download_that_was_killed_leaves_nothing_once_it_is_fetched_again(pulled, tmp_path):
    archive = make_archive(tmp_path / "faces.zip", tiny_pictures())
    half, served = threading.Event(), archive.read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(served)))
            self.end_headers()
            if half.is_set():
                self.wfile.write(served)
            else:
                self.wfile.write(served[:5000])
                self.wfile.flush()
                half.set()
                time.sleep(60)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = f"http://127.0.0.1:{server.server_port}/faces.zip"
        document = yaml.safe_load((pulled / "conf/data/sample.yaml").read_text("utf-8"))
        document["fetch"] |= {"source": source, "sha256": sha256_of(archive)}
        params, out = tmp_path / "faces.yaml", tmp_path / "raw"
        params.write_text(yaml.safe_dump(document), encoding="utf-8")
        command = ["stages.fetch", "--params", str(params), "--out", str(out)]
        with subprocess.Popen([sys.executable, "-m", *command], env=environment()) as first:
            assert half.wait(60)
            first.kill()
        assert list(out.rglob(f".*{HALF}"))
        assert said(command)[0] == 0
        server.shutdown()
    assert sorted(path.name for path in out.iterdir()) == [
        "images.zip",
        "people.csv",
        "source.json",
    ]
    assert sha256_of(out / "images.zip") == sha256_of(archive)


# Damage


def test_damaged_outputs_are_named_and_one_command_brings_them_back(clone):
    table, network = clone / "data/index/index.csv", clone / "data/model/model.keras"
    for path, size in ((table, 1000), (network, 0)):
        data = path.read_bytes()[:size]
        path.unlink()
        path.write_bytes(data)
    for left in ("data", "data/model"):
        (clone / left / LEFT).mkdir()
    status = run(clone, "dvc", "status")
    assert all(str(path.relative_to(clone)) in status for path in (table, network))
    done = said(preprocess(clone, clone / "data/arrays"))
    assert (done[0], "index stage again" in done[1], done[1].count("\n")) == (1, True, 1)
    run(clone, "dvc", "checkout", "--force")
    assert "up to date" in run(clone, "dvc", "status")


@pytest.mark.parametrize(
    ("file", "share", "sign", "command"),
    [
        ("dvc.lock", 0, "'./dvc.lock'", "git restore dvc.lock"),
        ("dvc.lock", 0.5, "'./dvc.lock'", "git restore dvc.lock"),
        (".dvc/tmp/rwlock", 0, "Unable to read RWLock-file", "rm .dvc/tmp/rwlock"),
    ],
)
def test_a_file_that_dvc_could_not_write_whole_is_named_and_mended(
    clone, file, share, sign, command
):
    path = clone / file
    data = path.read_bytes() if share else b""
    path.write_bytes(data[: int(share * len(data))])
    told = run(clone, "dvc", "status", "dvc.yaml", check=False)
    assert sign in told
    assert f"`{command}`" in (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    run(clone, *command.split())
    assert clean(clone)


@pytest.mark.parametrize("fault", ["corrupted", "deleted"])
def test_the_documented_commands_name_and_mend_a_fault_in_the_cache(clone, fault):
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"```bash\n(.*?md5sum.*?)```", text, re.DOTALL)
    path = clone / "data/index/audit.csv"
    lock = yaml.safe_load((clone / "dvc.lock").read_text("utf-8"))["stages"]["index"]["outs"]
    (md5,) = (out["md5"] for out in lock if out["path"] == "data/index/audit.csv")
    kept = clone / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    whole = path.read_bytes()
    path.unlink()
    kept.chmod(0o644)
    if fault == "deleted":
        kept.unlink()
    else:
        kept.write_bytes(whole[:-1])
        kept.chmod(0o444)  # DVC trusts what is protected
    told = run(clone, "dvc", "checkout", check=False)
    assert "data/index/audit.csv" in told
    assert "Traceback" not in told
    told = run(clone, "bash", "-ec", commands)
    assert (f"{md5[:2]}/{md5[2:]}" in told) == (fault == "corrupted")
    assert path.read_bytes() == whole
    assert clean(clone)


# The disk, the clock, the surroundings


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(disk: Path) -> Path:
    """Leave one page of a disk free; the file that takes the rest."""
    other = disk / "other"
    with contextlib.suppress(OSError), other.open("wb", buffering=0) as stream:
        while stream.write(bytes(PAGE)):
            pass
    os.truncate(other, other.stat().st_size - PAGE)
    return other


@pytest.mark.parametrize("fault", ["no space left", "Read-only"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_or_read_only_disk_is_one_line_and_leaves_what_was_there(
    small, tmp_path, monkeypatch, capfd, stage, fault
):
    clone, _ = small
    lock = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    *command, written = shlex.split(lock["stages"][stage]["cmd"])
    main = importlib.import_module(command[2]).main
    monkeypatch.chdir(clone)
    with mounted(tmp_path / "disk", "size=9m") as disk:
        shutil.copytree(written, out := disk / "out")
        if fault == "Read-only":
            remount(disk, "ro")
        else:
            monkeypatch.setattr(tempfile, "tempdir", str(disk))
            fill(disk)
        before = files(disk)
        with pytest.raises(SystemExit) as ended:
            errors.run(lambda: main([*command[3:], str(out)]))
        message = str(ended.value)
        assert (message[:7], fault in message, message.count("\n")) == ("error: ", True, 0), message
        assert "Traceback" not in capfd.readouterr().err
        assert files(disk) == before


def test_dvc_on_a_full_or_read_only_disk_says_so_and_loses_nothing(small, tmp_path):
    with mounted(tmp_path / "disk", "size=128m") as disk:
        clone = copied(small[0], disk / "clone")
        remount(disk, "ro")
        assert "Read-only file system" in run(clone, *INDEX, check=False)
        remount(disk, "rw")
        assert clean(clone)
        forget(clone, "index")
        other = fill(disk)
        told = run(clone, *INDEX, check=False)
        assert "ERROR: failed to reproduce 'index': [Errno 28] No space left on device" in told
        assert "Traceback" not in told
        other.unlink()
        assert stages_run(run(clone, "dvc", "repro", "--no-run-cache")) == ["index"]
        assert clean(clone)


def test_a_wrong_clock_changes_nothing(clone, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ntime.time = lambda: now() - 45 * 365 * 86400\n"
    )
    later = time.time() + 10**8
    for path in (clone / "data/raw").iterdir():
        os.utime(path, (later, later))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert stages_run(run(clone, *INDEX)) == ["index"]
    assert clean(clone)


SURROUNDINGS = {
    "locale C, no home": ({"LC_ALL": "C", "LANG": "C", "HOME": None}, 0o022),
    "umask 077, a home that is read-only": ({"HOME": "/proc"}, 0o077),
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_surroundings_change_nothing(pulled, tmp_path, monkeypatch, name):
    clone = copied(pulled, tmp_path / "Gesichter für übermorgen, 表情")
    variables, mask = SURROUNDINGS[name]
    for key, value in variables.items():
        monkeypatch.delenv(key, raising=False) if value is None else monkeypatch.setenv(key, value)
    before = os.umask(mask)
    try:
        assert stages_run(run(clone, *INDEX)) == ["index"]
        assert clean(clone)
        assert stages_run(run(clone, "dvc", "repro")) == []
    finally:
        os.umask(before)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may be others")
def test_another_user_at_another_path_has_nothing_to_run():
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reader = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        clone = make_clone(Path(folder, "clone"))
        run(clone, "dvc", "pull")
        run(clone, "chown", "--recursive", "65534:65534", ".")
        python = ["env", f"HOME={folder}/none", sys.executable, "-m"]
        for user in (other, [*other, *reader]):  # where Python lies in root's home, he may read it
            dvc = [*user, *python, "dvc"]
            told = shutil.which("setpriv") and run(clone, *dvc, "--version", check=False)
            if told and told.startswith("3."):
                break
        else:
            pytest.skip("another user may not run this Python")
        assert stages_run(run(clone, *dvc, "repro")) == []
        assert stages_run(run(clone, *dvc, *INDEX[1:])) == ["index"]
        assert (clone / "data/index/index.csv").stat().st_uid == 65534
        assert "up to date" in run(clone, *dvc, "status", "dvc.yaml")


# Two at once


def test_two_runs_at_once_end_in_one_result(clone):
    both = [started(clone, *INDEX) for _ in range(2)]
    told = [process.communicate()[0] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0
    refused = [text for text, process in zip(told, both, strict=True) if process.returncode]
    assert all("lock" in text for text in refused), refused
    assert clean(clone)
    trial = ("dvc", "exp", "run", "--temp", "-S")
    temporary = [started(clone, *trial, f"plot.dpi={dpi}") for dpi in (50, 60)]
    for dpi, process in zip((50, 60), temporary, strict=True):
        if "Unable to acquire lock" in (text := process.communicate()[0]):  # at the same instant
            run(clone, "dvc", "exp", "run", "--temp", "-S", f"plot.dpi={dpi}")
        else:
            assert process.returncode == 0, text
    assert run(clone, "dvc", "exp", "list", "--name-only").count("\n") == 2
    assert clean(clone)


# Memory


def test_one_large_picture_is_in_memory_at_a_time(tmp_path):
    Image.new("RGB", (7700, 7700)).save(tmp_path / "large.webp", lossless=True, method=0)
    model = tiny_network(tmp_path / "tiny.onnx")
    options = ["--no-detect", "--threads", "4", "--model", model, "--out", tmp_path / "faces.csv"]
    options += ["--draw", tmp_path / "drawn"]
    command = [sys.executable, "-m", "tools.predict", *options, *[tmp_path / "large.webp"] * 4]
    assert watched(command, ROOT)[1] < 1.4e9  # one takes 1 GB, four at once 3.7 GB
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 5
