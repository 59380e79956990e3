"""Files from elsewhere, into a folder of their own.

The libraries that speak the protocols are imported where they are used: each costs up to a second.
"""

import errno
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from facial_expression.core.errors import FULL, PipelineError, SourceError

ATTEMPTS = 3
PAUSE = 1.0  # seconds before another attempt
SILENCE = 60.0  # seconds without a byte after which a server is given up
UNBOUNDED = 1 << 62


class Interrupted(SourceError):  # noqa: N818
    """A download failed in a way that another attempt may mend."""


class Offline(Interrupted):
    """This machine cannot find the host: most likely it has no network."""


def from_url(url: str, folder: Path, max_bytes: int = UNBOUNDED) -> Path:
    """Download a file through fsspec (http, https, s3 and every protocol that is installed).

    A download that breaks off starts again from the first byte.

    Raises:
        Interrupted: the connection failed or stalled in every attempt.
        SourceError: there is no such file or protocol, access is denied, or it is too large.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(Interrupted):
            return _watched(url, partial(_receive, url), folder, max_bytes)
        time.sleep(PAUSE)
    return _watched(url, partial(_receive, url), folder, max_bytes)


def from_kaggle(handle: str, folder: Path, max_bytes: int = UNBOUNDED) -> Path:
    """Download and unpack a Kaggle data set, `owner/name` or `owner/name/versions/N`, no login."""

    def receive(place: Path) -> Path:
        import kagglehub

        return Path(kagglehub.dataset_download(handle, output_dir=str(place / "files")))

    # for a moment the archive lies beside what was unpacked
    return _watched(f"kaggle:{handle}", receive, folder, 2 * max_bytes)


def from_drive(file_id: str, folder: Path, max_bytes: int = UNBOUNDED) -> Path:
    """Download a public Google Drive file."""

    def receive(place: Path) -> Path:
        import gdown

        return Path(str(gdown.download(id=file_id, output=str(place / "file"))))

    return _watched(f"gdrive:{file_id}", receive, folder, max_bytes)


def matching(url: str) -> list[str]:
    """The URLs of the files that match a URL with `*`, sorted; errors as `from_url`."""
    import fsspec

    with _one_line(url):
        system, path = fsspec.core.url_to_fs(url)
        return sorted(map(system.unstrip_protocol, system.glob(path)))


RECEIVERS = {"url": from_url, "kaggle": from_kaggle, "gdrive": from_drive}


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


def _watched(source: str, receive: Callable[[Path], Path], folder: Path, max_bytes: int) -> Path:
    """Let `receive` write to a new folder in `folder`, as long as bytes come, and not too many.

    The libraries bound no download, and some wait for a silent server without end.  A thread that
    is given up ends with the process.
    """
    place = Path(tempfile.mkdtemp(dir=folder))
    outcome: Future[Path] = Future()

    def work() -> None:
        try:
            outcome.set_result(receive(place))
        except BaseException as error:  # noqa: BLE001  raised again below
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    found, since = 0, time.monotonic()
    while not wait([outcome], min(1.0, SILENCE / 4)).done:
        before, found = found, _size(place)
        if found > max_bytes:
            break
        if found != before:
            since = time.monotonic()
        elif time.monotonic() - since > SILENCE:
            why = f"nothing came for {SILENCE:.0f} s; check your connection and run again"
            raise Interrupted(f"{without_credentials(source)}: {why}")
    if max(found, _size(place)) > max_bytes:
        remedy = "raise it if you trust the source"
        where, what = without_credentials(source), "at most fetch.max_bytes"
        raise SourceError.expected(where, what, "more", remedy)
    with _one_line(source):
        return outcome.result()


def _size(folder: Path) -> int:
    """Bytes in the files of a folder that changes meanwhile."""
    sizes = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                sizes += Path(parent, name).stat().st_size
    return sizes


def _receive(url: str, place: Path) -> Path:
    import fsspec
    from fsspec.callbacks import TqdmCallback

    options: dict[str, object] = {}
    if _is_web(url):
        import aiohttp

        # the default timeout ends every download after five minutes
        client = {"timeout": aiohttp.ClientTimeout(total=None), "trust_env": True}
        client["auto_decompress"] = False
        options = {"client_kwargs": client, "headers": {"Accept-Encoding": "identity"}}
    system, path = fsspec.core.url_to_fs(url, **options)
    system.invalidate_cache()
    info = system.info(path)
    if (kind := info.get("type") or "file") != "file":  # reading from a pipe would not end
        what, where = "one file (a zip, a tar or fer2013.csv)", without_credentials(url)
        found = "a folder" if kind == "directory" else f"another kind ({kind})"
        raise SourceError.expected(where, what, found, "pack it")
    target = place / "file"
    shown = {"desc": "download", "unit": "B", "unit_scale": True, "disable": None}
    with TqdmCallback(tqdm_kwargs=shown) as bar:
        system.get_file(path, str(target), callback=bar)
    received, size = target.stat().st_size, info.get("size")
    if size is not None and received != size:
        where, found = without_credentials(url), f"{received} bytes"
        raise Interrupted.expected(where, f"{size} bytes", found, "run again")
    return target


@contextmanager
def _one_line(source: str) -> Iterator[None]:
    """Turn whatever a library of protocols raises into one line without credentials."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # each protocol has its own family of errors
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        chain: list[BaseException] = [error]
        while before := chain[-1].__cause__ or chain[-1].__context__:
            chain.append(before)
        shown = without_credentials(source)
        numbers = [getattr(link, "errno", 0) for link in chain]
        if errno.ENETUNREACH in numbers or any(isinstance(it, socket.gaierror) for it in chain):
            raise Offline(f"no network: {shown} cannot be reached; name a local copy") from error
        # fsspec calls every failure of the web "not found"
        cause = (_is_web(source) and error.__cause__) or error
        reason = " ".join(f"{type(cause).__name__} {cause}".split())[:300]
        line = without_credentials(f"{source}: {reason}".replace(source, shown))
        if isinstance(error, ImportError):
            raise SourceError(f"{line}; install what this protocol needs") from error
        status = next((found for link in [cause, *chain] if (found := _status(link))), None)
        if status:
            final = 400 <= status < 500
        else:
            final = isinstance(cause, FileNotFoundError | PermissionError | ValueError)
            final |= "Credential" in type(cause).__name__  # of botocore
        if final:  # another attempt would fail in the same way
            raise SourceError(f"{line}; check the address and your credentials") from error
        raise Interrupted(f"{line}; check your connection and run again") from error


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error of aiohttp, requests (kagglehub, gdown) or botocore carries."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        status = getattr(error, "status", getattr(response, "status_code", None))
    return status if isinstance(status, int) else None
