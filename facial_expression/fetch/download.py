"""Files from elsewhere, into a folder of their own.

The libraries that speak the protocols are imported where they are used: each costs up to a second.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facial_expression.core.errors import PipelineError, SourceError

ATTEMPTS = 3
PAUSE = 1.0  # seconds before another attempt
CONNECT_TIMEOUT, READ_TIMEOUT = 30, 60  # seconds


class Interrupted(SourceError):  # noqa: N818
    """A download failed in a way that another attempt may mend."""


class Offline(Interrupted):
    """This machine cannot find the host: most likely it has no network."""


def from_url(url: str, folder: Path) -> Path:
    """Download a file through fsspec (http, https, s3 and every protocol that is installed).

    A download that breaks off starts again from the first byte; no part of it is kept.

    Raises:
        Interrupted: the connection failed or stalled in every attempt.
        SourceError: there is no such file or protocol, or access is denied.
    """
    with _one_line(url):
        import fsspec

        options = _http_options() if _is_web(url) else {}
        system, path = fsspec.core.url_to_fs(url, **options)
    target = folder / "file"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _receive(system, path, url, target)
            break
        except Interrupted:
            if attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE)
    return target


def from_kaggle(handle: str, folder: Path) -> Path:
    """Download and unpack a Kaggle data set, `owner/name` or `owner/name/versions/N`, no login."""
    with _one_line(f"kaggle:{handle}"):
        import kagglehub

        # forced: a folder that an interrupted download left is emptied instead of refused
        path = kagglehub.dataset_download(
            handle, output_dir=str(folder / "files"), force_download=True
        )
    return Path(path)


def from_drive(file_id: str, folder: Path) -> Path:
    """Download a public Google Drive file; the next call continues an interrupted download."""
    with _one_line(f"gdrive:{file_id}"):
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


def _is_web(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _http_options() -> dict[str, Any]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT
    )
    client = {"timeout": timeout, "trust_env": True, "auto_decompress": False}
    return {"client_kwargs": client, "headers": {"Accept-Encoding": "identity"}}


def _receive(system: Any, path: str, url: str, target: Path) -> None:
    """Download once; `target` is whole or absent afterwards."""
    from fsspec.callbacks import TqdmCallback

    shown = {"desc": "download", "unit": "B", "unit_scale": True, "disable": None}
    try:
        with _one_line(url):
            system.invalidate_cache()
            info = system.info(path)
            if info.get("type") == "directory":
                raise SourceError(
                    f"{without_credentials(url)}: expected one file (a zip, a tar or "
                    "fer2013.csv), found a folder; pack it"
                )
            with TqdmCallback(tqdm_kwargs=shown) as bar:
                system.get_file(path, str(target), callback=bar)
            received, size = target.stat().st_size, info.get("size")
            if size is not None and received != size:
                raise Interrupted(
                    f"{without_credentials(url)}: expected {size} bytes, received {received}; "
                    "run again"
                )
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@contextmanager
def _one_line(source: str) -> Iterator[None]:
    """Turn whatever a library of protocols raises into one line without credentials."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # each protocol has its own family of errors
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        # fsspec calls every failure of the web "not found"
        cause = (_is_web(source) and error.__cause__) or error
        reason = " ".join(f"{type(cause).__name__} {cause}".split())[:300]
        if _is_offline(error):
            shown = without_credentials(source)
            raise Offline(f"no network: {shown} cannot be reached; name a local copy") from error
        line = f"{source}: {reason}".replace(source, without_credentials(source))
        line = without_credentials(line)
        if isinstance(error, ImportError):
            raise SourceError(f"{line}; install what this protocol needs") from error
        if _is_final(cause):
            raise SourceError(f"{line}; check the address and your rights to it") from error
        raise Interrupted(f"{line}; check your connection and run again") from error


def _is_offline(error: BaseException | None) -> bool:
    """Whether no address was found for a host, or no way to it."""
    while error is not None:
        unreachable = isinstance(error, OSError) and error.errno == errno.ENETUNREACH
        if unreachable or isinstance(error, socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_final(error: BaseException) -> bool:
    """Whether another attempt would fail in the same way."""
    response = getattr(error, "response", None)  # of requests, which kagglehub and gdown use
    status = getattr(error, "status", getattr(response, "status_code", None))
    if isinstance(status, int):
        return 400 <= status < 500
    lacking = "Credential" in type(error).__name__  # of botocore
    return lacking or isinstance(error, FileNotFoundError | PermissionError | ValueError)
