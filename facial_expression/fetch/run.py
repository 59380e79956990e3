"""What stage `fetch` does: bring the pictures here, check them against the pin, write them."""

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from facial_expression.core.errors import ChecksumError, SourceError
from facial_expression.core.files import atomic, in_repository, sha256_of, write_json, write_text
from facial_expression.fetch import download
from facial_expression.fetch.layout import Normalised, normalise
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.fetch.unpack import in_dvc_cache

HANDLES = {"kaggle": r"[\w-]+/[\w-]+(/versions/\d+)?", "gdrive": r"[\w-]+"}
KNOWN = (
    "a path to a zip, tar, folder or fer2013.csv; an http(s)://, s3:// or other URL; "
    "kaggle:owner/name or kaggle:owner/name/versions/N; gdrive:<id>"
)


@dataclass(frozen=True)
class Source:
    """One place that a data set comes from."""

    kind: str  # local, url, kaggle or gdrive
    address: str  # a path, a URL, a Kaggle handle or the id of a Drive file; as configured

    @property
    def path(self) -> Path:
        """The path of a local source, `~` being the home folder."""
        path = os.path.expanduser(self.address)  # noqa: PTH111  of nobody's home: unchanged
        return in_repository(Path(path))

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

    A download lies beside `out` until it has been read.  A line on stderr names the source.

    Raises:
        SourceError: the source is missing or cannot be reached.
        ArchiveError: it is empty, corrupt, dangerous, or not laid out in a known way.
    """
    print(f"fetching {source.label}", file=sys.stderr)
    if source.kind == "local":
        if not (source.path.is_file() or source.path.is_dir()):
            raise SourceError(f"{source.label}: no such file or folder; correct fetch.source")
        return normalise(source.path, out, params, source.label)
    # a download that was given up may still write there
    with tempfile.TemporaryDirectory(dir=out.parent, ignore_cleanup_errors=True) as folder:
        receive = download.RECEIVERS[source.kind]
        received = receive(source.address, Path(folder), params.max_bytes)
        return normalise(received, out, params, source.label)


def fetch(params: FetchParameters, params_file: Path, out: Path) -> None:
    """Write images.zip, people.csv and source.json to `out` (data/raw), each whole.

    The name of `params_file` is that of the data set; DVC watches data/source/<data set> for
    changes, where data is that of the current folder or the one around `out`.

    Raises:
        SourceError: the source needs a pin, is missing or cannot be reached.
        ArchiveError: the source is empty, corrupt, dangerous or of another layout.
        ChecksumError: the pin is that of another archive.
    """
    source, pin = parse(params.source), params.sha256
    if source.kind != "local" and pin is None:
        raise SourceError(
            f"{params_file}: {source.label} is remote, so pin it by fetch.sha256; get the hash by "
            f"`python -m stages.fetch --params {params_file} --out {out} --print-sha256`"
        )
    if download.without_credentials(params.source) != params.source:
        print(
            f"note: fetch.source holds a secret, which {params_file} and dvc.lock then show to "
            "everybody who gets them; use a public address or a local copy",
            file=sys.stderr,
        )
    with atomic(out / "images.zip") as archive:
        try:
            made = write_archive(source, archive, params)
        except download.Offline as error:
            raise SourceError(f"{error} with -S {params_file}:fetch.source=PATH") from None
        size, sha256 = archive.stat().st_size, sha256_of(archive)
        if pin not in (None, sha256):
            raise ChecksumError(
                f"{params_file}: fetch.sha256 expects {pin}, {source.label} gives {sha256}; "
                "find out why they differ before you change the pin"
            )
        name, place = Path("source", params_file.stem), source.path.resolve()
        watched = [(data / name).resolve() for data in (Path("data"), out.parent)]
        if not (pin or any(map(place.is_relative_to, watched)) or in_dvc_cache(place)):
            raise SourceError(
                f"{params_file}: {source.label} lies outside data/{name}, where DVC would notice a "
                f"change; move it there, or pin it with fetch.sha256: {sha256}"
            )
    write_text(out / "people.csv", made.people)
    record = {"kind": source.kind, "source": source.record, "layout": made.layout}
    counts = {"sha256": sha256, "bytes": size, "files": made.files, "licence": params.licence}
    write_json(out / "source.json", record | counts)
    print(f"fetched {made.files} pictures to {out}")


def sha256_only(params: FetchParameters) -> str:
    """The hash of the archive that `fetch` would write; nothing stays on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        write_archive(parse(params.source), archive := Path(folder) / "images.zip", params)
        return sha256_of(archive)
