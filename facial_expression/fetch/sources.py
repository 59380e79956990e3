"""Where a data set may come from, and the way from there to the normalised archive."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from facial_expression.core.errors import SourceError
from facial_expression.fetch import download
from facial_expression.fetch.limits import Limits
from facial_expression.fetch.normalise import normalise
from facial_expression.pictures import archive

HANDLES = {"kaggle": r"[\w-]+/[\w-]+(/versions/\d+)?", "gdrive": r"[\w-]+"}
KNOWN = (
    "`sample`; a path to a zip, tar, folder or fer2013.csv; an http(s)://, s3:// or other URL; "
    "kaggle:owner/name or kaggle:owner/name/versions/N; gdrive:<id>"
)


@dataclass(frozen=True)
class Source:
    """One place that a data set comes from."""

    kind: str
    """sample, local, url, kaggle or gdrive."""
    address: str
    """A path, a URL, a Kaggle handle or the id of a Drive file; as configured."""

    @property
    def is_remote(self) -> bool:
        """Whether it lies where nothing here can notice that it changed."""
        return self.kind in ("url", "kaggle", "gdrive")

    @property
    def label(self) -> str:
        """What messages call it: as configured, without credentials."""
        prefix = f"{self.kind}:" if self.kind in HANDLES else ""
        return prefix + download.without_credentials(self.address)

    @property
    def record(self) -> str:
        """What is written about it: the label, without the folders of this machine."""
        absolute = self.kind == "local" and Path(self.address).expanduser().is_absolute()
        return Path(self.address).name if absolute else self.label


def parse(text: str) -> Source:
    """Read the parameter `fetch.source`.

    >>> parse("kaggle:msambare/fer2013")
    Source(kind='kaggle', address='msambare/fer2013')

    Raises:
        SourceError: the text names no kind of source.
    """
    kind, _, handle = text.partition(":")
    if text == "sample":
        return Source("sample", text)
    if kind in HANDLES:
        if re.fullmatch(HANDLES[kind], handle):
            return Source(kind, handle)
    elif "://" in text:
        return Source("url", text)
    elif text.strip():
        return Source("local", text)
    raise SourceError(f"fetch.source: expected {KNOWN}; found {text!r}")


def is_inside(source: Source, folder: Path) -> bool:
    """Whether a local source lies in `folder`, links followed."""
    return local_path(source).resolve().is_relative_to(folder.resolve())


def local_path(source: Source) -> Path:
    """The path of a local source, `~` being the home folder."""
    return Path(source.address).expanduser()


def write_archive(source: Source, out: Path, downloads: Path, limits: Limits) -> int:
    """Bring the pictures of `source` here and write them to `out` as a normalised archive.

    Args:
        source: where they are.
        out: the file to write.
        downloads: a folder for downloads in progress; gone when the last has ended, kept with
            what has come so far when the connection failed.
        limits: how much the source may unpack to.

    Returns:
        How many pictures there are.

    Raises:
        SourceError: the source is missing or cannot be reached.
        ArchiveError: it is empty, corrupt, dangerous, or not laid out in `<split>/<class>/`.
    """
    if source.kind == "sample":
        from facial_expression.sample import dataset

        return archive.write(out, ((name, [jpeg]) for name, jpeg in sorted(dataset.draw())))
    if source.kind == "local":
        path = local_path(source)
        if not path.exists():
            raise SourceError(f"{source.label}: no such file or folder; mend fetch.source")
        return normalise(path, out, limits, source.label)
    fetch = {
        "url": download.from_url,
        "kaggle": download.from_kaggle,
        "gdrive": download.from_drive,
    }[source.kind]
    with _workplace(source, downloads) as folder:
        return normalise(fetch(source.address, folder), out, limits, source.label)


@contextmanager
def _workplace(source: Source, downloads: Path) -> Iterator[Path]:
    """A folder for one download, which stays only where the download can go on."""
    folder = downloads / hashlib.sha256(source.address.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    resumable = False
    try:
        yield folder
    except (download.Interrupted, KeyboardInterrupt):
        resumable = any(folder.glob("part*"))
        raise
    finally:
        if not resumable:
            shutil.rmtree(folder)
        with suppress(OSError):
            downloads.rmdir()  # unless another download is kept there
