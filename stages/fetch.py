"""Stage `fetch`: bring the data set here as one normalised archive with a known sha256.

Reads   the section `fetch:` of --params, and the source that it names
Writes  OUT/images.zip   the pictures, <split>/<class>/<name>; same pictures, same bytes
        OUT/source.json  where they came from, sha256, bytes, files, licence note

Whatever can change unnoticed must be pinned by `fetch.sha256`: a remote source always, a local one
unless it lies in the folder that DVC watches, data/source/<name of the parameter file>.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.errors import ChecksumError, SourceError, run
from facial_expression.core.files import atomic, sha256_of, write_json
from facial_expression.core.params import CLOSED, load
from facial_expression.fetch import sources
from facial_expression.fetch.limits import Limits


@dataclass(frozen=True, config=CLOSED)
class FetchParams:
    """What to fetch, and how to know that it is the right thing."""

    source: str
    """`sample`, a local path, a URL, `kaggle:owner/name` or `gdrive:<id>`."""
    licence: str
    """Who may use the pictures, and for what; copied to source.json."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Of the normalised archive; None where DVC itself notices a change."""
    max_bytes: Annotated[int, Field(gt=0)] = 4 << 30
    """A source that unpacks to more is refused as a decompression bomb."""
    max_files: Annotated[int, Field(gt=0)] = 1_000_000
    """A source with more members is refused."""


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch, check against the pin, write; or only print the hash that a pin would need."""
    args = _arguments(argv)
    params = load(args.params, "fetch", FetchParams)
    source = sources.parse(params.source)
    limits = Limits(params.max_bytes, params.max_files)
    data = args.out.parent  # data/raw -> data; downloads go beside it
    downloads, watched = data.parent / ".download", data / "source" / args.params.stem

    if args.print_sha256:
        print(_sha256_only(source, downloads, limits))
        return
    if source.is_remote and params.sha256 is None:
        raise SourceError(
            f"{args.params}: {source.label} is remote, so pin it by fetch.sha256; get the hash by "
            f"`python -m stages.fetch --params {args.params} --out {args.out} --print-sha256`"
        )
    with atomic(args.out / "images.zip") as archive:
        files = sources.write_archive(source, archive, downloads, limits)
        sha256, size = sha256_of(archive), archive.stat().st_size
        _check_pin(params.sha256, sha256, source, watched, args.params)
    write_json(
        args.out / "source.json",
        {
            "kind": source.kind,
            "source": source.record,
            "sha256": sha256,
            "bytes": size,
            "files": files,
            "licence": params.licence,
        },
    )


def _sha256_only(source: sources.Source, downloads: Path, limits: Limits) -> str:
    """The hash of the archive, which is written among the downloads (git ignores them) and goes."""
    downloads.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=downloads) as folder:
            archive = Path(folder) / "images.zip"
            sources.write_archive(source, archive, downloads, limits)
            return sha256_of(archive)
    finally:
        with suppress(OSError):
            downloads.rmdir()  # unless a download is kept there


def _check_pin(
    pin: str | None, found: str, source: sources.Source, watched: Path, params: Path
) -> None:
    """Hold the archive's hash against the pin, or its place against the folder that DVC watches."""
    if pin is not None and pin != found:
        raise ChecksumError(
            f"{params}: fetch.sha256 expects {pin}, {source.label} gives {found}; "
            "find out why they differ before you change the pin"
        )
    if pin is None and source.kind == "local" and not sources.is_inside(source, watched):
        raise SourceError(
            f"{params}: {source.label} lies outside {watched}, where DVC would notice a change; "
            f"move it there, or pin it with fetch.sha256: {found}"
        )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stages.fetch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", type=Path, required=True, help="a file of conf/data")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, data/raw")
    parser.add_argument(
        "--print-sha256", action="store_true", help="only print the hash to pin; keep nothing"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
