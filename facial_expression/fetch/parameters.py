"""Section `fetch:` of conf/data/*.yaml."""

import codecs
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from facial_expression.core.params import CLOSED

Layout = Literal[
    "affectnet", "ck+", "expw", "fer2013.csv", "folders", "jaffe", "kdef", "raf-db", "table"
]


def _known(encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise ValueError(f"{error}; name a code page such as gbk or cp437") from None
    return encoding


@dataclass(frozen=True, config=CLOSED)
class Table:
    """A table of labels in the source, and its columns by name; empty: there is no such column.

    Attributes:
        file: its name, or the last parts of its path; empty: there is no table.
        path: column of the pictures' paths, or of the last parts of these.
        label: column of the classes; `class` in the file of parameters.
        split: column of train, val or test; without one, all is train.
        group: column of the person, subject or clip.
        box: columns of left, top, right and bottom of what is cut out, in pixels.
        attributes: columns that go to people.csv, such as sex.
    """

    file: str = ""
    path: str = "path"
    label: str = Field(default="class", alias="class")
    split: str = ""
    group: str = ""
    box: tuple[()] | tuple[str, str, str, str] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, config=CLOSED)
class FetchParameters:
    """Section `fetch` of conf/data/*.yaml.

    Attributes:
        source: a local path, a URL, `kaggle:owner/name` or `gdrive:<id>`.
        licence: who may use the pictures, and for what; copied to source.json.
        sha256: of the normalised archive; None where DVC itself notices a change.
        layout: how the set is laid out; None: its content says it.
        classes: what the set calls a class -> its name; other classes keep theirs.
        table: for sets that no reader knows.
        encoding: of names in archives that do not say it.
        max_bytes: a source that unpacks to more is refused as a decompression bomb.
        max_files: a source with more members is refused.
    """

    source: str
    licence: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    layout: Layout | None = None
    classes: dict[str, str] = Field(default_factory=dict)
    table: Table = Table()
    encoding: Annotated[str, AfterValidator(_known)] = "utf-8"
    max_bytes: Annotated[int, Field(gt=0)] = 4 << 30
    max_files: Annotated[int, Field(gt=0)] = 1_000_000
