"""Servers of DVC remotes on this machine: S3 twice, SSH, and a web server that can only be read."""

import base64
import getpass
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.clones import environment

BUCKET = "faces"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that listens on a port of its own; `start` after `kill` takes the same port."""

    command: list[str]

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            self.command, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        given_up = time.monotonic() + 60
        while time.monotonic() < given_up and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text("utf-8"))

    def kill(self) -> None:
        """Kill it and the processes that it started."""
        if self.process and self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()


class S3(Server):
    """A server that speaks S3, with a bucket `faces`, and the keys of somebody who may use it."""

    key, secret = "colleague", "words-of-the-team"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str = "s3") -> Any:
        import boto3  # type: ignore[import-untyped]

        return boto3.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )

    def start(self) -> None:
        super().start()
        if BUCKET not in [each["Name"] for each in self.client().list_buckets()["Buckets"]]:
            self.client().create_bucket(Bucket=BUCKET)

    def objects(self) -> set[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


class Moto(S3):
    """moto's server.  It keeps everything in memory: after a kill even the bucket is gone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        where = ("-H", "127.0.0.1", "-p", f"{self.port}")
        self.command = [sys.executable, "-m", "moto.server", *where]

    def start(self) -> None:
        """Start it, make somebody who may use the bucket, and refuse everybody else."""
        super().start()
        users = self.client("iam")
        users.create_user(UserName="team")
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        users.put_user_policy(UserName="team", PolicyName="faces", PolicyDocument=policy)
        made = users.create_access_key(UserName="team")["AccessKey"]
        self.key, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        self.check_keys(True)

    def check_keys(self, check: bool) -> None:
        """Check the keys of each request, or let requests without keys come to the bucket."""
        unchecked = b"0" if check else b"1000000"
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth", unchecked, {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=10).close()

    def publish(self) -> None:
        """Let everybody read the bucket."""
        everything = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
        read = ["s3:GetObject", "s3:HeadObject", "s3:ListBucket"]
        allowed = {"Effect": "Allow", "Principal": "*", "Action": read, "Resource": everything}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self.client().put_bucket_policy(Bucket=BUCKET, Policy=policy)


class Rclone(S3):
    """`rclone serve s3` over a folder: another implementation, which keeps its files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "served").mkdir()
        self.command = [
            *("rclone", "serve", "s3", "--config", "", "--addr", f"127.0.0.1:{self.port}"),
            *("--auth-key", f"{self.key},{self.secret}", str(folder / "served")),
        ]


class Sshd(Server):
    """OpenSSH's server with a configuration, a host key and one user's key of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        daemon = sshd()
        assert daemon
        for name in ("host", "key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
            )
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "key.pub",
            "StrictModes": "no",  # temporary folders are open to others
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "PidFile": "none",
            "Subsystem": "sftp internal-sftp",
        }
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        (folder / "sshd_config").write_text(text, encoding="utf-8")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # it drops its rights into this empty folder
        self.command = [daemon, "-D", "-e", "-f", str(folder / "sshd_config")]
        self.user = getpass.getuser()


def sshd() -> str | None:
    """The path of OpenSSH's server, which often is on root's PATH only."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running(kind: type[Server], folder: Path) -> Iterator[Any]:
    """The server until the block ends; the test is skipped where it is not installed."""
    if kind is Moto:
        pytest.importorskip("moto", reason="moto is not installed: requirements-extras.txt")
    if kind is Rclone and not shutil.which("rclone"):
        pytest.skip("rclone 1.65 or later is not installed")
    if kind is Sshd:
        pytest.importorskip("sshfs", reason="the extra ssh is not installed")
        if not sshd():
            pytest.skip("openssh-server is not installed")
    folder.mkdir()
    server = kind(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Mirror(http.server.SimpleHTTPRequestHandler):
    """Files, whole or in ranges, for whoever knows the password; nothing can be written."""

    asked: list[str]

    def authorised(self) -> bool:
        expected = "Basic " + base64.b64encode(b"reader:words").decode()
        if self.headers.get("Authorization") == expected:
            return True
        self.send_error(401)
        return False

    def do_HEAD(self) -> None:
        if self.authorised():
            super().do_HEAD()

    def do_GET(self) -> None:
        if not self.authorised():
            return
        path, asked = Path(self.translate_path(self.path)), self.headers.get("Range", "")
        self.asked.append(asked)
        if not (asked and path.is_file()):
            super().do_GET()
            return
        first, last = asked.removeprefix("bytes=").split("-")
        data = path.read_bytes()
        part = data[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def mirror(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a web server over a folder, and the ranges that it is asked for."""
    asked: list[str] = []
    handler = partial(type("Counted", (Mirror,), {"asked": asked}), directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  a client that left
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()
