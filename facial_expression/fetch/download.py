"""Files from elsewhere, into a folder of their own where an interrupted download goes on.

The libraries that speak the protocols are imported where they are used: each costs up to a second.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facial_expression.core.errors import PipelineError, SourceError

PIECE = 1 << 22  # bytes asked for at a time
ATTEMPTS = 3
PAUSE = 1.0  # seconds before another attempt
CONNECT_TIMEOUT, READ_TIMEOUT = 30, 60  # seconds
VERSION_KEYS = ("ETag", "Last-Modified", "LastModified", "mtime", "generation", "md5Hash")


class Interrupted(SourceError):  # noqa: N818
    """A download stopped; what has come so far is kept for the next run."""


class _NoRangesError(Exception):
    """A part was asked for, of a server that cannot send parts."""


def from_url(url: str, folder: Path) -> Path:
    """Download a file through fsspec (http, https, s3 and every protocol that is installed).

    What is there of it already is kept if the server still offers the same version (by ETag or
    date) and can send a part; otherwise the download starts again.

    Raises:
        Interrupted: the connection failed or stalled, three times.
        SourceError: there is no such file or protocol.
    """
    part, version_file = folder / "part", folder / "version.json"
    with _library(url):
        import fsspec

        options = _http_options() if re.match(r"https?://", url) else {}
        system, path = fsspec.core.url_to_fs(url, **options)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            version = _version(system, path, url)
            if not _same(version_file, version):
                part.unlink(missing_ok=True)
                version_file.write_text(json.dumps(version), encoding="utf-8")
            _receive(system, path, url, part, version["size"])
            break
        except _NoRangesError:  # the server sends the whole file or nothing
            part.unlink()
        except Interrupted:
            if attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE)
    return part


def from_kaggle(handle: str, folder: Path) -> Path:
    """Download and unpack a Kaggle data set, `owner/name` or `owner/name/versions/N`, no login."""
    with _library(f"kaggle:{handle}", resumes=False):
        import kagglehub

        # forced: a folder that an interrupted download left is emptied instead of refused
        path = kagglehub.dataset_download(
            handle, output_dir=str(folder / "files"), force_download=True
        )
    return Path(path)


def from_drive(file_id: str, folder: Path) -> Path:
    """Download a public Google Drive file; an interrupted download goes on."""
    with _library(f"gdrive:{file_id}"):
        import gdown

        path = gdown.download(
            id=file_id, output=str(folder / "part"), resume=True, timeout=READ_TIMEOUT
        )
    return Path(str(path))


def without_credentials(text: str) -> str:
    """`text` with user names, passwords and query strings taken out of the URLs in it.

    >>> without_credentials("https://me:secret@host/a.zip?token=1")
    'https://host/a.zip'
    """
    text = re.sub(r"(?<=://)[^/@\s]*@", "", text)
    text = re.sub(r"(?<=://)[^/@:\s]+:(?!\d+/)[^@\s]*@", "", text)  # a secret that holds a slash
    return re.sub(r"(://[^\s?'\"]*)\?[^\s'\")]*?(?=::|[\s'\")]|$)", r"\1", text)


def _http_options() -> dict[str, Any]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT
    )
    return {"client_kwargs": {"timeout": timeout, "trust_env": True}}


def _version(system: Any, path: str, url: str) -> dict[str, Any]:
    """What tells one version of a remote file from another; `size` may be None."""
    with _library(url):
        system.invalidate_cache()
        info = system.info(path)
    if info.get("type") == "directory":
        raise SourceError(
            f"{without_credentials(url)}: expected one file (a zip, a tar or fer2013.csv), "
            "found a folder; pack it"
        )
    version = {key: str(info[key]) for key in VERSION_KEYS if info.get(key)}
    return {"size": info.get("size"), **version}


def _same(version_file: Path, version: dict[str, Any]) -> bool:
    """Whether the part at hand is surely of this version: size alone does not tell."""
    with contextlib.suppress(OSError, ValueError):
        return len(version) > 1 and json.loads(version_file.read_text("utf-8")) == version
    return False


def _receive(system: Any, path: str, url: str, part: Path, size: int | None) -> None:
    """Append what is missing of the remote file to `part`."""
    from tqdm import tqdm

    start = part.stat().st_size if part.exists() else 0
    if start and start == size:
        return
    pieces = _pieces(system, path, url, start)
    with (
        part.open("ab") as file,
        tqdm(
            total=size, initial=start, unit="B", unit_scale=True, desc="download", disable=None
        ) as bar,
    ):
        for piece in pieces:
            file.write(piece)
            file.flush()
            bar.update(len(piece))
        received = file.tell()
    if size is not None and received != size:
        part.unlink()
        raise Interrupted(
            f"{without_credentials(url)}: expected {size} bytes, received {received}; run again"
        )


def _pieces(system: Any, path: str, url: str, start: int) -> Iterator[bytes]:
    web = url.startswith(("http://", "https://"))
    # a block size of 0 streams, which every web server can do; a later start needs ranges
    block = 0 if web and not start else PIECE
    with _library(url):
        try:
            with system.open(path, "rb", block_size=block) as remote:
                if start:
                    remote.seek(start)
                while piece := remote.read(PIECE):
                    yield piece
        except ValueError as error:
            if not start or "range" not in str(error):
                raise
            raise _NoRangesError from None


@contextmanager
def _library(source: str, resumes: bool = True) -> Iterator[None]:
    """Turn whatever a library of protocols raises into one line without credentials."""
    try:
        yield
    except (PipelineError, _NoRangesError):
        raise
    except Exception as error:  # each protocol has its own family of errors
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        cause = error.__cause__ or error  # fsspec calls every failure of the web "not found"
        reason = " ".join(f"{type(cause).__name__} {cause}".split())[:300]
        line = f"{source}: {reason}".replace(source, without_credentials(source))
        line = without_credentials(line)
        if isinstance(error, ImportError):
            raise SourceError(f"{line}; install what this protocol needs") from error
        if not resumes or _is_final(cause):
            raise SourceError(f"{line}; check the address and your rights to it") from error
        raise Interrupted(f"{line}; check your connection and run again") from error


def _is_final(error: BaseException) -> bool:
    """Whether another attempt would fail in the same way."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return 400 <= status < 500
    return isinstance(error, FileNotFoundError | PermissionError | ValueError)
