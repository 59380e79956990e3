"""What stage `fetch` does: bring the pictures here, check them against the pin, write them."""

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path

from facial_expression.core.errors import ChecksumError, SourceError
from facial_expression.core.files import (
    atomic,
    in_repository,
    repository,
    sha256_of,
    write_json,
    write_text,
)
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
    """One place that a data set comes from, or several that match a pattern."""

    kind: str  # local, url, kaggle or gdrive
    address: str  # a path, a URL, a Kaggle handle or the id of a Drive file; as configured

    @property
    def path(self) -> Path:
        """The path of a local source, `~` being the home folder."""
        return in_repository(self._expanded)

    @property
    def _expanded(self) -> Path:
        return Path(os.path.expanduser(self.address))  # noqa: PTH111  of nobody's home: unchanged

    @property
    def places(self) -> list["Source"]:
        """Itself, or where it has a `*`, all that match it; a SourceError if none does."""
        if "*" not in self.address:
            return [self]
        if self.kind == "local":
            pattern = str(self._expanded).replace("[", "[[]")
            places = Path(pattern), repository() / pattern  # as `in_repository`
            found = next(filter(None, (sorted(glob(str(path))) for path in places)), [])  # noqa: PTH207
        else:
            found = download.matching(self.address)
        if not found:
            raise SourceError(f"{self.label}: nothing matches; correct fetch.source")
        return [replace(self, address=each) for each in found]

    @property
    def label(self) -> str:
        """Its name in messages: as configured, without credentials."""
        prefix = f"{self.kind}:" if self.kind in HANDLES else ""
        return prefix + download.without_credentials(self.address)

    @property
    def record(self) -> str:
        """Its name in source.json: the label, without the folders of this machine."""
        absolute = self.kind == "local" and self._expanded.is_absolute()
        return self._expanded.name if absolute else self.label


def all_of(params: FetchParameters) -> list[Source]:
    """What `fetch.source` names: one source, or each of a list; errors as `parse`."""
    named = params.source
    return [parse(text) for text in ([named] if isinstance(named, str) else named)]


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


def write_archive(
    sources: Sequence[Source],
    out: Path,
    params: FetchParameters,
    workers: int = 1,
    scheduler: str = "",
) -> Normalised:
    """Write the pictures of all `sources` to `out` as one normalised archive.

    A download lies beside `out` until it has been read.  Lines on stderr name the sources.
    `workers` and `scheduler` say who cuts out faces (`core.processes.spread`).

    Raises:
        SourceError: a source is missing or cannot be reached.
        ArchiveError: one is empty, corrupt or dangerous, or they are not laid out in a known way.
    """
    paths: dict[str, Path] = {}
    # a download that was given up may still write there
    with tempfile.TemporaryDirectory(dir=out.parent, ignore_cleanup_errors=True) as folder:
        for named in sources:
            found = named.places
            many = f": {len(found)} files" if len(found) > 1 else ""
            print(f"fetching {named.label}{many}", file=sys.stderr)
            for source in found:
                if source.kind != "local":
                    receive = download.RECEIVERS[source.kind]
                    path = receive(source.address, Path(folder), params.max_bytes)
                elif not ((path := source.path).is_file() or path.is_dir()):
                    fault = "no such file or folder; correct fetch.source"
                    raise SourceError(f"{source.label}: {fault}")
                # without their secrets, two addresses may be the same
                paths[source.label + f" ({len(paths) + 1})" * (source.label in paths)] = path
        return normalise(paths, out, params, workers, scheduler)


def fetch(
    params: FetchParameters, params_file: Path, out: Path, workers: int = 1, scheduler: str = ""
) -> None:
    """Write images.zip, people.csv and source.json to `out` (data/raw), each whole.

    The name of `params_file` is that of the data set; DVC watches data/source/<data set> for
    changes, where data is that of the current folder or the one around `out`.  `workers` and
    `scheduler` as in `write_archive`.

    Raises:
        SourceError: the source needs a pin, is missing or cannot be reached.
        ArchiveError: the source is empty, corrupt, dangerous or of another layout.
        ChecksumError: the pin is that of another archive.
    """
    sources, pin = all_of(params), params.sha256
    label = ", ".join(source.label for source in sources)[:300]
    if pin is None and any(source.kind != "local" for source in sources):
        raise SourceError(
            f"{params_file}: {label} is remote, so pin it by fetch.sha256; get the hash by "
            f"`python -m stages.fetch --params {params_file} --out {out} --print-sha256`"
        )
    if any(download.without_credentials(each.address) != each.address for each in sources):
        print(
            f"note: fetch.source holds a secret, which {params_file} and dvc.lock then show to "
            "everybody who gets them; use a public address or a local copy",
            file=sys.stderr,
        )
    with atomic(out / "images.zip") as archive:
        try:
            made = write_archive(sources, archive, params, workers, scheduler)
        except download.Offline as error:
            raise SourceError(f"{error} with -S {params_file}:fetch.source=PATH") from None
        size, sha256 = archive.stat().st_size, sha256_of(archive)
        if pin not in (None, sha256):
            raise ChecksumError(
                f"{params_file}: fetch.sha256 expects {pin}, {label} gives {sha256}; "
                "find out why they differ before you change the pin"
            )
        name = Path("source", params_file.stem)
        watched = [(data / name).resolve() for data in (Path("data"), out.parent)]
        places = [each.path.resolve() for source in sources for each in source.places if not pin]
        if not all(any(map(at.is_relative_to, watched)) or in_dvc_cache(at) for at in places):
            raise SourceError(
                f"{params_file}: {label} lies outside data/{name}, where DVC would notice a "
                f"change; move it there, or pin it with fetch.sha256: {sha256}"
            )
    write_text(out / "people.csv", made.people)
    record = {
        "kind": ", ".join(sorted({source.kind for source in sources})),
        "source": ", ".join(source.record for source in sources),
        "layout": made.layout,
    }
    counts = {"sha256": sha256, "bytes": size, "files": made.files, "licence": params.licence}
    write_json(out / "source.json", record | counts)
    print(f"fetched {made.files} pictures to {out}")


def sha256_only(params: FetchParameters, workers: int = 1, scheduler: str = "") -> str:
    """The hash of the archive that `fetch` would write; nothing stays on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "images.zip"
        write_archive(all_of(params), archive, params, workers, scheduler)
        return sha256_of(archive)
