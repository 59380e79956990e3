"""Files from elsewhere, into a folder of their own.

The libraries that speak the protocols are imported where they are used: each costs up to a second.
"""

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


def from_url(url: str, folder: Path, max_bytes: int = 1 << 62) -> Path:
    """Download a file through fsspec (http, https, s3 and every protocol that is installed).

    A download that breaks off starts again from the first byte; one of over `max_bytes` ends.

    Raises:
        Interrupted: the connection failed or stalled in every attempt.
        SourceError: there is no such file or protocol, or access is denied.
    """
    target = folder / "file"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _one_line(url):
                _receive(url, target, max_bytes)
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
    """Download a public Google Drive file."""
    with _one_line(f"gdrive:{file_id}"):
        import gdown

        path = gdown.download(id=file_id, output=str(folder / "file"), timeout=READ_TIMEOUT)
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


def _receive(url: str, target: Path, max_bytes: int) -> None:
    import fsspec
    from fsspec.callbacks import TqdmCallback

    class Bounded(TqdmCallback):
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if max(self.value, self.size or 0) > max_bytes:
                raise SourceError(
                    f"{without_credentials(url)}: expected at most {max_bytes:,} bytes, found "
                    "more; raise fetch.max_bytes if you trust it"
                )

    options: dict[str, Any] = {}
    if _is_web(url):
        import aiohttp

        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT
        )
        client = {"timeout": timeout, "trust_env": True, "auto_decompress": False}
        options = {"client_kwargs": client, "headers": {"Accept-Encoding": "identity"}}
    system, path = fsspec.core.url_to_fs(url, **options)
    system.invalidate_cache()
    info = system.info(path)
    if (kind := info.get("type") or "file") != "file":  # reading from a pipe would not end
        raise SourceError(
            f"{without_credentials(url)}: expected one file (a zip, a tar or fer2013.csv), found "
            f"{'a folder; pack it' if kind == 'directory' else f'another kind ({kind})'}"
        )
    shown = {"desc": "download", "unit": "B", "unit_scale": True, "disable": None}
    with Bounded(tqdm_kwargs=shown) as bar:
        system.get_file(path, str(target), callback=bar)
    received, size = target.stat().st_size, info.get("size")
    if size is not None and received != size:
        raise Interrupted(
            f"{without_credentials(url)}: expected {size} bytes, received {received}; run again"
        )


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
        chain: list[BaseException] = [error]
        while before := chain[-1].__cause__ or chain[-1].__context__:
            chain.append(before)
        if any(
            isinstance(link, socket.gaierror) or getattr(link, "errno", 0) == errno.ENETUNREACH
            for link in chain
        ):
            shown = without_credentials(source)
            raise Offline(f"no network: {shown} cannot be reached; name a local copy") from error
        # fsspec calls every failure of the web "not found"
        cause = (_is_web(source) and error.__cause__) or error
        reason = " ".join(f"{type(cause).__name__} {cause}".split())[:300]
        line = f"{source}: {reason}".replace(source, without_credentials(source))
        line = without_credentials(line)
        if isinstance(error, ImportError):
            raise SourceError(f"{line}; install what this protocol needs") from error
        status = next((found for link in [cause, *chain] if (found := _status(link))), None)
        if status:
            final = 400 <= status < 500
        else:
            final = isinstance(cause, FileNotFoundError | PermissionError | ValueError)
            final |= "Credential" in type(cause).__name__  # of botocore
        if final:  # another attempt would fail in the same way
            raise SourceError(f"{line}; check the address and your rights to it") from error
        raise Interrupted(f"{line}; check your connection and run again") from error


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error of aiohttp, requests (kagglehub, gdown) or botocore carries."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        status = getattr(error, "status", getattr(response, "status_code", None))
    return status if isinstance(status, int) else None
