"""Layouts of data sets, a reader each.

Its `recognises(files)` tells its own sets by their content; `read(files)` lists the pictures.
"""

from typing import Any

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
from facial_expression.fetch.unpack import Files

LABELLED: dict[Layout, Any] = {
    "affectnet": affectnet,
    "ck+": ck_plus,
    "expw": expw,
    "fer2013.csv": fer2013_csv,
    "raf-db": raf_db,
}
"""Layouts with tables of labels."""
ARRANGED: dict[Layout, Any] = {"folders": folders, "jaffe": names.JAFFE, "kdef": names.KDEF}
"""Layouts that are told by paths; the first that fits holds."""
READERS: dict[Layout, Any] = {**LABELLED, **ARRANGED, "table": any_table}


def choose(files: Files) -> tuple[Layout, Any]:
    """The layout of a source, by `fetch.layout` or by its content.

    Raises:
        ArchiveError: there are tables of labels of several sets.
    """
    if name := files.params.layout or ("table" if any_table.recognises(files) else None):
        return name, READERS[name]
    found = [name for name, reader in LABELLED.items() if reader.recognises(files)]
    if len(found) > 1:
        both, remedy = f"files of {' and '.join(found)}", "set fetch.layout to one of them"
        raise files.fault("one data set", both, remedy)
    found += [name for name, reader in ARRANGED.items() if reader.recognises(files)]
    name = (found or ["folders"])[0]
    return name, READERS[name]
