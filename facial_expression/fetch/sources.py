"""Where a data set may come from, and the way from there to the normalised archive."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from facial_expression.core.errors import SourceError
from facial_expression.core.files import repository, write_zip
from facial_expression.fetch import download
from facial_expression.fetch.layout import Normalised, normalise
from facial_expression.fetch.parameters import FetchParameters

HANDLES = {"kaggle": r"[\w-]+/[\w-]+(/versions/\d+)?", "gdrive": r"[\w-]+"}
KNOWN = (
    "`sample`; a path to a zip, tar, folder or fer2013.csv; an http(s)://, s3:// or other URL; "
    "kaggle:owner/name or kaggle:owner/name/versions/N; gdrive:<id>"
)


@dataclass(frozen=True)
class Source:
    """One place that a data set comes from."""

    kind: str  # sample, local, url, kaggle or gdrive
    address: str  # a path, a URL, a Kaggle handle or the id of a Drive file; as configured

    @property
    def is_remote(self) -> bool:
        """Whether DVC cannot notice that it changed."""
        return self.kind in ("url", "kaggle", "gdrive")

    @property
    def path(self) -> Path:
        """The path of a local source, `~` being the home folder; see `params.pinned`."""
        path = Path(self.address).expanduser()
        return path if path.exists() else repository() / path

    @property
    def label(self) -> str:
        """Its name in messages: as configured, without credentials."""
        prefix = f"{self.kind}:" if self.kind in HANDLES else ""
        return prefix + download.without_credentials(self.address)

    @property
    def record(self) -> str:
        """Its name in source.json: the label, without the folders of this machine."""
        absolute = self.kind == "local" and self.path.is_absolute()
        return self.path.name if absolute else self.label


def parse(text: str) -> Source:
    """Read the parameter `fetch.source`.

    >>> parse("kaggle:msambare/fer2013")
    Source(kind='kaggle', address='msambare/fer2013')

    Raises:
        SourceError: the text is not a source.
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


def write_archive(source: Source, out: Path, params: FetchParameters) -> Normalised:
    """Write the pictures of `source` to `out` as a normalised archive.

    A download lies beside `out` until it has been read.

    Raises:
        SourceError: the source is missing or cannot be reached.
        ArchiveError: it is empty, corrupt, dangerous, or not laid out in a known way.
    """
    if source.kind == "sample":
        from facial_expression.sample import dataset

        return Normalised("sample", write_zip(out, sorted(dataset.draw())))
    if source.kind == "local":
        if not (source.path.is_file() or source.path.is_dir()):
            raise SourceError(f"{source.label}: no such file or folder; correct fetch.source")
        return normalise(source.path, out, params, source.label)
    fetch = {
        "url": download.from_url,
        "kaggle": download.from_kaggle,
        "gdrive": download.from_drive,
    }[source.kind]
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        return normalise(fetch(source.address, Path(folder)), out, params, source.label)
