"""Layouts of data sets: each tells its own sets by their content, and lists their pictures."""

from typing import Protocol

from facial_expression.fetch.layouts import (
    affectnet,
    any_table,
    ck_plus,
    expw,
    fer2013_csv,
    folders,
    names,
    raf_db,
)
from facial_expression.fetch.parameters import Layout
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import Files, expected


class Reader(Protocol):
    """What reads one layout."""

    def recognises(self, files: Files) -> bool:
        """Whether the files are laid out so."""

    def read(self, files: Files) -> list[Row]:
        """The pictures of the set."""


LABELLED: dict[Layout, Reader] = {
    "affectnet": affectnet,
    "ck+": ck_plus,
    "expw": expw,
    "fer2013.csv": fer2013_csv,
    "raf-db": raf_db,
}
"""Layouts with tables of labels."""
ARRANGED: dict[Layout, Reader] = {"folders": folders, "jaffe": names.JAFFE, "kdef": names.KDEF}
"""Layouts that are told by paths; the first that fits holds."""
READERS: dict[Layout, Reader] = {**LABELLED, **ARRANGED, "table": any_table}


def choose(files: Files) -> tuple[Layout, Reader]:
    """The layout of a source, by `fetch.layout` or by its content.

    Raises:
        ArchiveError: there are tables of labels of several sets.
    """
    if name := files.params.layout or ("table" if any_table.recognises(files) else None):
        return name, READERS[name]
    found = [name for name, reader in LABELLED.items() if reader.recognises(files)]
    if len(found) > 1:
        both, remedy = f"files of {' and '.join(found)}", "set fetch.layout to one of them"
        raise expected(files.where, "one data set", both, remedy)
    found += [name for name, reader in ARRANGED.items() if reader.recognises(files)]
    name = (found or ["folders"])[0]
    return name, READERS[name]
