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
    """A table of labels in the source, and its columns by name; empty: there is none."""

    file: str = ""  # its name, or the last parts of its path
    path: str = "path"  # of the pictures, or the last parts of these
    label: str = Field(default="class", alias="class")  # `class` in the file of parameters
    split: str = ""  # train, val or test; without one, all is train
    group: str = ""  # the person, subject or clip
    box: tuple[()] | tuple[str, str, str, str] = ()  # left, top, right, bottom, in pixels
    attributes: tuple[str, ...] = ()  # columns that go to people.csv, such as sex


@dataclass(frozen=True, config=CLOSED)
class FetchParameters:
    """Section `fetch` of conf/data/*.yaml."""

    # a local path, a URL, `kaggle:owner/name` or `gdrive:<id>`; or a list of them, read together;
    # `*` in a path or URL stands for any characters
    source: str | Annotated[tuple[str, ...], Field(min_length=1)]
    licence: str  # who may use the pictures, and for what; copied to source.json
    # of the normalised archive; None where DVC itself notices a change
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    layout: Layout | None = None  # how the set is laid out; None: its content says it
    classes: dict[str, str] = Field(default_factory=dict)  # of some classes, the names they get
    table: Table = Table()  # for sets that no reader knows
    encoding: Annotated[str, AfterValidator(_known)] = "utf-8"  # of names in archives, unless said
    max_bytes: Annotated[int, Field(gt=0)] = 4 << 30  # of all that a source unpacks to
    max_files: Annotated[int, Field(gt=0)] = 1_000_000  # of a source, members of archives included
