"""A zip, a tar, a folder or fer2013.csv -> the normalised archive, one picture at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.layout import arrange, is_junk, is_wanted, safe_path
from facial_expression.fetch.limits import Limits, Pictures, Spool, pieces_of, reading
from facial_expression.fetch.unpack import TAR_OPENERS, read_tar, read_zip
from facial_expression.pictures import archive

PACKED = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".csv")


def normalise(source: Path, out: Path, limits: Limits, where: str) -> int:
    """Write the pictures of `source` to `out` as a normalised archive.

    The same pictures give the same bytes, however they are packed, wrapped in folders and ordered.
    A folder without pictures that holds exactly one archive or table stands for that file.

    Args:
        source: a zip, a tar (plain, gzip, bzip2, xz), a folder or a fer2013.csv.
        out: the file to write; scratch space is taken beside it and freed.
        limits: how much the source may unpack to.
        where: what messages call the source.

    Returns:
        How many pictures there are.

    Raises:
        ArchiveError: the source is empty, corrupt, dangerous, or has no pictures in
            `<split>/<class>/` folders.
    """
    with tempfile.TemporaryFile(dir=out.parent) as scratch:
        return archive.write(out, _pictures(source, scratch, limits, where))


def _pictures(source: Path, scratch: IO[bytes], limits: Limits, where: str) -> Pictures:
    if source.is_dir():
        return _read_folder(source, scratch, limits, where)
    with reading(where), source.open("rb") as stream:
        head = stream.read(512)
    if not head:
        raise ArchiveError(f"{where}: expected a zip, a tar or fer2013.csv, found an empty file")
    if head.startswith(b"PK"):
        return read_zip(source, scratch, limits, where)
    if head[257:262] == b"ustar" or head.startswith(tuple(TAR_OPENERS)):
        return read_tar(source, scratch, limits, where)
    if source.suffix.lower() == ".csv" or head.removeprefix(b"\xef\xbb\xbf").startswith(b"emotion"):
        return _read_table(source, scratch, limits, where)
    raise ArchiveError(
        f"{where}: expected a zip, a tar, fer2013.csv or a folder, found a file that begins with "
        f"{head[:16]!r}; a download may have given an error page"
    )


def _read_table(source: Path, scratch: IO[bytes], limits: Limits, where: str) -> Pictures:
    rows = Spool(scratch, limits, where)
    with reading(where), source.open("rb") as stream:
        rows.keep_table(stream)
    yield from rows.pictures()


def _read_folder(source: Path, scratch: IO[bytes], limits: Limits, where: str) -> Pictures:
    with reading(where):
        folders: list[str] = []
        found = list(_walk(source, where, folders))
    pictures = [(path, key) for path, key in found if is_wanted(path)]
    packed = [path for path, _ in found if path.lower().endswith(PACKED)]
    if not pictures and len(packed) == 1:
        yield from _pictures(source / packed[0], scratch, limits, f"{where}/{packed[0]}")
        return
    if not pictures and packed:
        raise ArchiveError(
            f"{where}: expected pictures or one archive, found {len(packed)} archives "
            f"({packed[0]!r}, {packed[1]!r}); leave one"
        )
    size = sum(size for _, (_, size) in pictures)
    limits.check(size, len(pictures), size, where)
    for name, (file, size) in arrange(pictures, where, folders):
        inside = f"{where}: {name!r}"
        with reading(inside):
            stream = Path(file).open("rb")  # noqa: SIM115 (pieces_of closes it)
        yield name, pieces_of(stream, size, inside)


def _walk(folder: Path, where: str, folders: list[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield (path inside the folder, (path, size)) of files that are not junk; note `folders`."""
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path).relative_to(folder).as_posix()
                if is_junk(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    yield safe_path(path, where), (entry.path, entry.stat().st_size)
                else:
                    raise ArchiveError(
                        f"{where}: {path!r} is a link or a device; put the file itself there"
                    )
