"""Any set with a table of labels whose columns `fetch.table` of conf/data names."""

from __future__ import annotations

from collections.abc import Iterator

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.layouts.folders import SPLITS
from facial_expression.fetch.rows import Label, Row, box_of, joined, table
from facial_expression.fetch.unpack import Files


def recognises(files: Files) -> bool:
    """Whether conf/data names a table."""
    return bool(files.params.table.file)


def read(files: Files) -> list[Row]:
    """The pictures that the table names.

    Raises:
        ArchiveError: there is no such table or column, or a split or box cannot be read.
    """
    return joined(files, _labels(files))


def _labels(files: Files) -> Iterator[Label]:
    said, where = files.params.table, files.where
    found = files.other(f"/{said.file}".lower())
    if len(found) != 1:
        paths = ", ".join(file.path for file in found) or "none"
        raise ArchiveError(
            f"{where}: expected one {said.file!r}, found {paths[:200]}; correct fetch.table.file"
        )
    named = {said.path, said.label, said.split, said.group, *said.box, *said.attributes} - {""}
    for row in table(files, found[0]):
        if lacking := sorted(named - set(row)):
            raise ArchiveError(
                f"{where}: {said.file}: expected a column {lacking[0]!r}, found {', '.join(row)}; "
                "correct fetch.table"
            )
        split = SPLITS.get(row[said.split].lower(), "") if said.split else "train"
        if not split:
            raise ArchiveError(
                f"{where}: {said.file}: expected a split of {', '.join(SPLITS)}, found "
                f"{row[said.split]!r}; correct it, or fetch.table.split"
            )
        yield Label(
            row[said.path],
            row[said.label],
            split,
            group=row[said.group] if said.group else "",
            box=box_of(files, row, said.box) if said.box else None,
            facts={name: row[name] for name in said.attributes},
        )
