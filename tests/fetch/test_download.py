"""Real transfers from loopback servers, and what is asked of kagglehub and gdown."""

import errno
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from facial_expression.core.errors import SourceError
from facial_expression.fetch import download

CONTENT = bytes(range(256)) * 400  # 100 KB


class Server(ThreadingHTTPServer):
    """Serves `CONTENT` at /set.zip, denies /denied.zip, and counts the GETs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.drops = 0  # answers that break off half-way
        self.stalls = False
        self.gets = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/set.zip"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self.server.gets += 1
        self._answer(CONTENT)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        if self.path != "/set.zip":
            self.send_error(403 if self.path == "/denied.zip" else 404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("Content-Encoding", "gzip")  # as many servers say of a tar.gz
        self.end_headers()
        if body and self.server.stalls:
            threading.Event().wait(2)
        elif body and self.server.drops:
            self.server.drops -= 1
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.close()
        else:
            self.wfile.write(body)


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
def quick(monkeypatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    monkeypatch.setattr(download, "SILENCE", 0.5)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_download_is_whole_even_if_the_connection_breaks(server, tmp_path):
    server.drops = download.ATTEMPTS - 1
    assert download.from_url(server.url, tmp_path).read_bytes() == CONTENT
    assert server.gets >= download.ATTEMPTS


@pytest.mark.parametrize("fault", ["drops", "stalls"])
def test_a_connection_that_always_fails_is_one_line(server, tmp_path, fault):
    setattr(server, fault, 99)
    with pytest.raises(SourceError, match="check your connection and run again"):
        download.from_url(server.url, tmp_path)


def test_a_refused_connection_is_one_line_without_credentials(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(SourceError, match="check your connection") as caught:
        download.from_url(server.url.replace("//", "//me:secret@") + "?key=secret", tmp_path)
    assert "secret" not in str(caught.value)
    assert server.url in str(caught.value)


@pytest.mark.parametrize(("name", "reason"), [("none", "none.zip"), ("denied", "403")])
def test_what_another_attempt_cannot_mend_is_not_tried_again(server, tmp_path, name, reason):
    with pytest.raises(SourceError, match=rf"{reason}.*; check the address and your credentials"):
        download.from_url(server.url.replace("set", name), tmp_path)
    assert server.gets <= 1


def test_a_download_is_bounded_and_a_pipe_is_refused(server, tmp_path):
    with pytest.raises(SourceError, match=r"set\.zip: expected at most fetch\.max_bytes"):
        download.from_url(server.url, tmp_path, max_bytes=10)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="found another kind"):
        download.from_url(f"file://{tmp_path / 'pipe'}", tmp_path)


@pytest.mark.parametrize(
    ("url", "fault"), [("nonsense://host/set.zip", "nonsense"), ("gs://b/set.zip", "install what")]
)
def test_a_protocol_that_is_not_there_is_one_line(tmp_path, monkeypatch, url, fault):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SourceError, match=fault):
        download.from_url(url, tmp_path)


async def denied(*_: object, **__: object) -> None:
    """What S3 says of another's bucket, as s3fs passes it on."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    said = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    raise OSError(errno.EIO, "Forbidden") from ClientError(said, "HeadObject")


@pytest.mark.extra
def test_s3(tmp_path, monkeypatch):
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
        with pytest.raises(SourceError, match=r"none\.zip.*check the address"):
            download.from_url("s3://faces/none.zip", tmp_path)
        with pytest.raises(SourceError, match="found a folder; pack it"):
            download.from_url("s3://faces/", tmp_path)
        monkeypatch.setattr(s3fs.S3FileSystem, "_info", denied)
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(SourceError, match=r"check the address and your credentials"):
            download.from_url("s3://faces/set.zip", tmp_path)
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def libraries(monkeypatch) -> dict[str, Any]:
    """What kagglehub and gdown are asked, each with its own signature; they write nothing."""
    import gdown
    import kagglehub

    asked = {
        "kaggle": create_autospec(kagglehub.dataset_download, return_value="files"),
        "drive": create_autospec(gdown.download, return_value="file"),
    }
    monkeypatch.setattr(kagglehub, "dataset_download", asked["kaggle"])
    monkeypatch.setattr(gdown, "download", asked["drive"])
    return asked


def test_kaggle_and_drive_are_asked_in_their_own_words(tmp_path, libraries):
    handle = "msambare/fer2013/versions/1"
    assert download.from_kaggle(handle, tmp_path) == Path("files")
    assert libraries["kaggle"].call_args.args == (handle,)
    assert Path(libraries["kaggle"].call_args.kwargs["output_dir"]).is_relative_to(tmp_path)
    assert download.from_drive("134M73", tmp_path) == Path("file")
    assert libraries["drive"].call_args.kwargs["id"] == "134M73"


@pytest.mark.parametrize("receive", [download.from_kaggle, download.from_drive])
def test_kaggle_and_drive_are_bounded_and_given_up_when_they_are_silent(
    tmp_path, libraries, receive
):
    ended = threading.Event()

    def without_end(*_: str, **options: str) -> str:
        target = Path(options.get("output_dir") or options["output"])
        while not ended.wait(0.01):
            if given:
                with target.open("ab") as stream:
                    stream.write(CONTENT)
        return str(target)

    for library in libraries.values():
        library.side_effect = without_end
    try:
        given = True
        with pytest.raises(SourceError, match=r"expected at most fetch\.max_bytes, found"):
            receive("134M73", tmp_path, 10 * len(CONTENT))
        given = False
        with pytest.raises(SourceError, match=r"nothing came for .*; check your connection"):
            receive("134M73", tmp_path)
    finally:
        ended.set()


def test_a_library_that_fails_is_one_line(tmp_path, monkeypatch):
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
def test_credentials_are_taken_out(text, clean):
    assert download.without_credentials(text) == clean
