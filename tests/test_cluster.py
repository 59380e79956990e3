"""The data stages on a real Dask cluster, with a real S3 server; and what may happen to it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from facial_expression.core import processes
from facial_expression.core.errors import ImageError, PipelineError
from facial_expression.core.processes import spread
from facial_expression.fetch import layout
from facial_expression.index import table as index_table
from facial_expression.preprocess import shards
from stages import fetch, index, preprocess
from tests.clones import ROOT, environment
from tests.fetch.miniatures import MINIATURES
from tests.helpers import make_archive, make_folder, one_line, tiny_pictures
from tests.index.test_stage import indexed
from tests.preprocess.test_shards import arguments, contents
from tests.remote_servers import BUCKET, Moto, free_port, running

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.extra]


CLUSTER = """
import sys, distributed
size = {"n_workers": int(sys.argv[1]), "threads_per_worker": 1, "dashboard_address": ":0"}
with distributed.LocalCluster(**size) as cluster:
    print(cluster.scheduler_address, cluster.dashboard_link, flush=True)
    sys.stdin.read()
"""


@contextmanager
def local_cluster(workers: int) -> Iterator[list[str]]:
    """Addresses of the scheduler and of its dashboard.

    In a process of its own, which is killed: a cluster that lost a worker may not close.
    """
    command = [sys.executable, "-c", CLUSTER, str(workers)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    few_deaths = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment() | few_deaths, text=True, **pipes
    ) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()
        finally:
            process.kill()


class Cluster(NamedTuple):
    """A scheduler with two worker processes, and the S3 server that they know."""

    address: str
    dashboard: str
    store: Moto

    def kill_a_worker(self) -> None:
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)  # who is killed while it starts does not return
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    store_folder = tmp_path_factory.mktemp("store") / "s3"
    with running(Moto, store_folder) as store, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", store.key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", store.secret)
        patch.setenv("AWS_ENDPOINT_URL", store.url)
        with local_cluster(2) as (address, dashboard):
            yield Cluster(address, dashboard, store)


class Project(NamedTuple):
    """Thirty pictures, and what both stages make of them in processes of this machine."""

    raw: Path
    out: Path

    @property
    def images(self) -> Path:
        return self.raw / "images.zip"

    def made(self) -> dict[str, bytes]:
        """What the stages write: the index in 6 parts, arrays in 9 shards."""
        indexed(self.images, self.out / "index")
        (self.raw / "index.csv").write_bytes((self.out / "index" / "index.csv").read_bytes())
        preprocess.main(arguments(self.images, self.out / "arrays"))
        return contents(self.out)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.setattr(index_table, "CHUNK", 5)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    (tmp_path / "raw").mkdir()
    make_archive(tmp_path / "raw" / "images.zip", tiny_pictures())
    return Project(tmp_path / "raw", tmp_path / "out")


def test_the_bytes_are_those_of_this_machine_also_when_a_worker_is_killed(
    project, cluster, monkeypatch, capsys
):
    expected = project.made()
    assert sum("/images-" in name for name in expected) == 9
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.address)
    assert project.made() == expected
    shown = capsys.readouterr().err.splitlines()
    assert shown == [f"dashboard: {cluster.dashboard}"] * 2

    def killing(parts: Iterable[Any], *_: Any, **__: Any) -> Iterator[Any]:
        for number, part in enumerate(parts):
            if number == 0:
                cluster.kill_a_worker()
            yield part

    monkeypatch.setattr(index_table, "tqdm", killing)
    monkeypatch.setattr(shards, "tqdm", killing)
    assert project.made() == expected


def test_faces_are_cut_out_by_the_workers_also_when_one_is_killed(
    tmp_path, cluster, monkeypatch, capsys
):
    monkeypatch.setattr(layout, "CHUNK", 1)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    make_folder(tmp_path / "data" / "source" / "expw", MINIATURES["expw"]())
    conf = yaml.safe_load((ROOT / "conf/data/folder.yaml").read_text())
    conf["fetch"]["source"] = str(tmp_path / "data" / "source" / "expw")
    (params := tmp_path / "expw.yaml").write_text(yaml.safe_dump(conf))

    def fetched(name: str) -> dict[str, bytes]:
        fetch.main(["--params", str(params), "--out", str(tmp_path / "data" / name)])
        return contents(tmp_path / "data" / name)

    expected = fetched("alone")
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.address)
    assert fetched("shared") == expected
    assert f"dashboard: {cluster.dashboard}" in capsys.readouterr().err

    def killing(*called: Any) -> Iterator[Any]:
        for number, part in enumerate(spread(*called)):
            if number == 0:
                cluster.kill_a_worker()
            yield part

    monkeypatch.setattr(layout, "spread", killing)
    assert fetched("killed") == expected


def waits_once(folder: Path, number: int) -> int:
    """Task 0 does not end when it is done for the first time; it leaves the id of its process."""
    if number == 0 and not (folder / "started").exists():
        (folder / "half").write_text(str(os.getpid()))
        (folder / "half").rename(folder / "started")
        time.sleep(60)
    return number**2


def kill_who_waits(folder: Path) -> None:
    while not (folder / "started").exists():
        time.sleep(0.05)
    os.kill(int((folder / "started").read_text()), signal.SIGKILL)


def test_a_task_whose_worker_is_killed_is_done_by_another(cluster, tmp_path):
    threading.Thread(target=kill_who_waits, args=[tmp_path], daemon=True).start()
    done = spread(partial(waits_once, tmp_path), range(9), 2, cluster.address)
    assert list(done) == [number**2 for number in range(9)]


def kill_me(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def bad_picture(_: int) -> None:
    raise ImageError("images.zip: a.png: broken")


def test_what_a_worker_cannot_do_is_one_line(cluster, monkeypatch):
    with pytest.raises(ImageError, match=r"^images.zip: a.png: broken \(worker on \S+\)$"):
        list(spread(bad_picture, range(9), 2, cluster.address))
    with pytest.raises(PipelineError, match=one_line("one task ended several workers", "logs")):
        list(spread(kill_me, range(1), 2, cluster.address))
    monkeypatch.setattr(processes, "code", lambda: "the code of next year")
    with pytest.raises(PipelineError, match=one_line("expected the code of next year, found fac")):
        list(spread(bad_picture, range(9), 2, cluster.address))


def test_pictures_and_arrays_in_s3(project, cluster, monkeypatch):
    """The workers are told of no path of this machine, and nothing is there to be read."""
    expected = project.made()
    params = make_folder(project.raw.parent / "params", {"index.yaml": b""}) / "index.yaml"
    indexed(project.images, project.out / "index")
    (project.raw / "params.yaml").rename(params)
    for name in ("images.zip", "people.csv", "source.json"):
        cluster.store.client().upload_file(str(project.raw / name), BUCKET, f"raw/{name}")
        (project.raw / name).unlink()
    raw, scheduler = f"s3://{BUCKET}/raw", ("--scheduler", cluster.address)
    index.main(
        ["--params", str(params), "--raw", raw, "--out", str(project.out / "index"), *scheduler]
    )
    argv = arguments(project.images, project.out / "arrays")
    argv[argv.index(str(project.images))] = f"{raw}/images.zip"
    preprocess.main([*argv, *scheduler])
    assert contents(project.out) == expected

    argv[argv.index(str(project.out / "arrays"))] = f"s3://{BUCKET}/arrays"
    preprocess.main([*argv, *scheduler])
    listed = cluster.store.client().list_objects_v2(Bucket=BUCKET, Prefix="arrays/")["Contents"]
    bodies = {
        each["Key"]: cluster.store.client()
        .get_object(Bucket=BUCKET, Key=each["Key"])["Body"]
        .read()
        for each in listed
    }
    assert bodies == {name: data for name, data in expected.items() if name.startswith("arrays/")}
    assert max(listed, key=lambda each: each["LastModified"])["Key"] == "arrays/classes.json"
    with pytest.raises(PipelineError, match=one_line("s3://faces/arrays: expected an empty place")):
        preprocess.main([*argv, *scheduler])
    argv[argv.index(f"{raw}/images.zip")] = "s3://nobodys/images.zip"
    with pytest.raises(PipelineError, match=one_line("s3://nobodys/images.zip: no such archive")):
        preprocess.main([*argv, *scheduler])


def test_a_scheduler_without_workers_is_one_line(monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 1)
    with (
        local_cluster(0) as (address, _),
        pytest.raises(PipelineError, match=one_line("no worker", f"dask worker {address}")),
    ):
        list(spread(bad_picture, range(9), 2, address))


def test_a_scheduler_that_ends_is_one_line(tmp_path):
    address = f"tcp://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "dask"]
    arguments_of = {
        "scheduler": ["--port", str(port), "--no-dashboard"],
        "worker": [address, "--nthreads", "2"],
    }
    how = {"cwd": ROOT, "env": environment(), "stderr": subprocess.DEVNULL}
    scheduler, worker = (
        subprocess.Popen([*command, name, "--host", "127.0.0.1", *given], **how)
        for name, given in arguments_of.items()
    )
    try:
        done = spread(partial(waits_once, tmp_path), [1, 0, 2], 2, address)
        assert next(done) == 1
        scheduler.kill()
        with pytest.raises(PipelineError, match=one_line(address, "the scheduler has ended")):
            list(done)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


def test_a_scheduler_that_does_not_answer_is_one_line(project):
    """In a process of its own: a client of Dask that found no scheduler blocks the next one."""
    made = project.made()
    argv = arguments(project.images, project.out / "arrays")
    done = subprocess.run(
        [sys.executable, "-m", "stages.preprocess", *argv, "--scheduler", "tcp://127.0.0.1:9"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:9'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert contents(project.out) == made
