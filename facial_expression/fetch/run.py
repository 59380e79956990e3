"""What stage `fetch` does: bring the pictures here, check them against the pin, write them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from facial_expression.core.errors import ChecksumError, SourceError
from facial_expression.core.files import atomic, sha256_of, write_json, write_text
from facial_expression.fetch.download import Offline
from facial_expression.fetch.layout import Normalised
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.fetch.sources import parse, write_archive
from facial_expression.fetch.unpack import in_dvc_cache


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
    if source.is_remote and pin is None:
        raise SourceError(
            f"{params_file}: {source.label} is remote, so pin it by fetch.sha256; get the hash by "
            f"`python -m stages.fetch --params {params_file} --out {out} --print-sha256`"
        )
    with atomic(out / "images.zip") as archive:
        try:
            made, sha256 = _write(params, archive)
        except Offline as error:
            raise SourceError(f"{error} with -S {params_file}:fetch.source=PATH") from None
        size = archive.stat().st_size
        if pin not in (None, sha256):
            raise ChecksumError(
                f"{params_file}: fetch.sha256 expects {pin}, {source.label} gives {sha256}; "
                "find out why they differ before you change the pin"
            )
        watched = [data / "source" / params_file.stem for data in (Path("data"), out.parent)]
        place = source.path.resolve()
        inside = any(place.is_relative_to(folder.resolve()) for folder in watched)
        inside |= in_dvc_cache(place)
        if pin is None and source.kind == "local" and not inside:
            raise SourceError(
                f"{params_file}: {source.label} lies outside {watched[0]}, where DVC would notice "
                f"a change; move it there, or pin it with fetch.sha256: {sha256}"
            )
    write_text(out / "people.csv", made.people)
    write_json(
        out / "source.json",
        {
            "kind": source.kind,
            "source": source.record,
            "layout": made.layout,
            "sha256": sha256,
            "bytes": size,
            "files": made.files,
            "licence": params.licence,
        },
    )
    print(f"fetched {made.files} pictures to {out}")


def sha256_only(params: FetchParameters) -> str:
    """The hash of the archive that `fetch` would write; nothing stays on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        return _write(params, Path(folder) / "images.zip")[1]


def _write(params: FetchParameters, archive: Path) -> tuple[Normalised, str]:
    """Write the archive; return what it was made of, and its sha256."""
    source = parse(params.source)
    print(f"fetching {source.label}", file=sys.stderr)
    return write_archive(source, archive, params), sha256_of(archive)
