"""Real transfers from loopback servers, and what is asked of kagglehub and gdown."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from facial_expression.core.errors import SourceError
from facial_expression.fetch import download

CONTENT = bytes(range(256)) * 400  # 100 KB


class Server(ThreadingHTTPServer):
    """Serves `content` at /set.zip and keeps the Range of each GET."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.ranges = True
        self.drops = 0  # answers that break off half-way
        self.stalls = False
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/set.zip"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self.server.asked.append(self.headers["Range"])
        self._answer(body=True)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bool) -> None:
        if not self.path.startswith("/set.zip"):
            self.send_error(404)
            return
        content, start = self.server.content, 0
        if self.server.ranges and self.headers["Range"]:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            start = int(first)
            content = content[start : int(last) + 1]
            self.send_response(206)
            end = start + len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(self.server.content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", self.server.etag)
        self.end_headers()
        if not body:
            return
        if self.server.stalls:
            threading.Event().wait(2)
        elif self.server.drops:
            self.server.drops -= 1
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            time.sleep(0.2)  # until the client has read it
            self.connection.close()
        else:
            self.wfile.write(content)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.5)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_whole_download(server: Server, tmp_path: Path) -> None:
    assert download.from_url(server.url, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_dropped_connection_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.drops = 1
    assert download.from_url(server.url, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 2
    start = int(str(server.asked[1]).removeprefix("bytes=").split("-")[0])
    assert 0 < start < len(CONTENT)


def test_a_server_without_ranges_is_asked_for_the_whole_again(
    server: Server, tmp_path: Path
) -> None:
    server.ranges, server.drops = False, 1
    assert download.from_url(server.url, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] is None


def test_another_run_goes_on(server: Server, tmp_path: Path) -> None:
    server.drops = download.ATTEMPTS
    with pytest.raises(download.Interrupted, match="check your connection and run again"):
        download.from_url(server.url, tmp_path)
    kept = (tmp_path / "part").stat().st_size
    assert 0 < kept < len(CONTENT)
    server.asked.clear()
    assert download.from_url(server.url, tmp_path).read_bytes() == CONTENT
    assert str(server.asked[0]).startswith(f"bytes={kept}-")


def test_another_version_is_not_appended_to_the_old_one(server: Server, tmp_path: Path) -> None:
    server.drops = download.ATTEMPTS
    with pytest.raises(download.Interrupted):
        download.from_url(server.url, tmp_path)
    server.content, server.etag = CONTENT[::-1], '"two"'
    assert download.from_url(server.url, tmp_path).read_bytes() == CONTENT[::-1]


def test_a_server_that_stalls_is_given_up(server: Server, tmp_path: Path) -> None:
    server.stalls = True
    with pytest.raises(download.Interrupted) as caught:
        download.from_url(server.url, tmp_path)
    assert "imeout" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refused_connection_is_one_line(server: Server, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(SourceError) as caught:
        download.from_url(server.url.replace("//", "//me:secret@") + "?key=secret", tmp_path)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.url in str(caught.value)


def test_a_missing_file_is_not_asked_for_twice(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="404") as caught:
        download.from_url(server.url.replace("set", "none"), tmp_path)
    assert not isinstance(caught.value, download.Interrupted)


def test_an_unknown_protocol_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nonsense"):
        download.from_url("nonsense://host/set.zip", tmp_path)


def test_from_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moto", reason="the extra s3 is not installed")
    import s3fs  # type: ignore[import-untyped]
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        remote = s3fs.S3FileSystem()
        remote.mkdir("faces")
        remote.pipe_file("faces/set.zip", CONTENT)

        assert download.from_url("s3://faces/set.zip", tmp_path).read_bytes() == CONTENT

        with (tmp_path / "part").open("rb+") as part:
            part.truncate(1000)
        assert download.from_url("s3://faces/set.zip", tmp_path).read_bytes() == CONTENT

        with pytest.raises(SourceError, match="none"):
            download.from_url("s3://faces/none.zip", tmp_path)
        with pytest.raises(SourceError, match="found a folder; pack it"):
            download.from_url("s3://faces/", tmp_path)
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()


def test_kaggle_is_asked_for_the_handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kagglehub

    asked: dict[str, Any] = {}

    def dataset_download(handle: str, **options: Any) -> str:
        asked.update(options, handle=handle)
        return str(options["output_dir"])

    monkeypatch.setattr(kagglehub, "dataset_download", dataset_download)
    path = download.from_kaggle("msambare/fer2013/versions/1", tmp_path)
    assert path == tmp_path / "files"
    assert asked == {
        "handle": "msambare/fer2013/versions/1",
        "output_dir": str(path),
        "force_download": True,
    }


def test_kaggle_has_the_options_that_it_is_given() -> None:
    import inspect

    import gdown
    import kagglehub

    assert {"output_dir", "force_download"} <= set(
        inspect.signature(kagglehub.dataset_download).parameters
    )
    assert {"id", "output", "resume", "timeout"} <= set(
        inspect.signature(gdown.download).parameters
    )


def test_drive_is_asked_for_the_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gdown

    asked: dict[str, Any] = {}

    def gdown_download(**options: Any) -> str:
        asked.update(options)
        return str(options["output"])

    monkeypatch.setattr(gdown, "download", gdown_download)
    assert download.from_drive("134M73", tmp_path) == tmp_path / "part"
    assert asked == {
        "id": "134M73",
        "output": str(tmp_path / "part"),
        "resume": True,
        "timeout": download.READ_TIMEOUT,
    }


def test_a_library_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gdown

    def fail(**_: Any) -> str:
        raise RuntimeError("Too many users have viewed this file.\n\n\tTry again later.")

    monkeypatch.setattr(gdown, "download", fail)
    with pytest.raises(SourceError, match=r"gdrive:134M73: .*this file\. Try again later\."):
        download.from_drive("134M73", tmp_path)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://me:secret@host/a.zip", "https://host/a.zip"),
        ("https://secret@host:80/a.zip?sig=secret#x", "https://host:80/a.zip"),
        ("s3://KEY:secret/with/slash@bucket/a.zip", "s3://bucket/a.zip"),
        ("zip://*.csv::https://host/a.zip?t=secret", "zip://*.csv::https://host/a.zip"),
        ("simplecache::https://me:secret@host/a", "simplecache::https://host/a"),
        (
            "403, url='https://me:secret@host/a?k=secret' (denied)",
            "403, url='https://host/a' (denied)",
        ),
        ("https://host/a.zip", "https://host/a.zip"),
        ("https://host:80/@me/a.zip", "https://host:80/@me/a.zip"),
        ("data/source/a b.zip", "data/source/a b.zip"),
    ],
)
def test_credentials_are_taken_out(text: str, clean: str) -> None:
    assert download.without_credentials(text) == clean
