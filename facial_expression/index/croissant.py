"""croissant.json: the data set described in MLCommons' Croissant format, with its RAI terms.

Croissant 1.0 (mlcommons.org/croissant/1.0) is JSON-LD: files with their sha256, and record sets
that say how to read them.  The RAI vocabulary (mlcommons.org/croissant/RAI/1.0) says how the data
came about and what it cannot show.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

TERMS = """citeAs column equivalentProperty extract field fileObject fileProperty fileSet format
includes isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace
samplingRate separator source subField transform"""
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {name: f"cr:{name}" for name in TERMS.split()}
"""The context that every Croissant file carries."""
TYPES = dict.fromkeys(("width", "height", "leak_free", "count"), "sc:Integer")
TYPES |= dict.fromkeys(("mean", "std"), "sc:Float")

SOURCE = ("kind", "source", "sha256", "bytes", "licence")
"""What is read of source.json."""


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Described:
    """What section `export` of conf/data/*.yaml says of the data; None: not stated."""

    dataset: str
    labels: str | None
    people: str | None


def describe(
    table: pd.DataFrame,
    counts: pd.DataFrame,
    audit: Mapping[str, Any],
    source: Mapping[str, Any],
    attributes: Sequence[str],
    index_sha256: str,
    about: Described,
) -> dict[str, Any]:
    """The content of croissant.json, the same for the same arguments.

    `table` is the index, `counts` are class_counts.csv, `audit` and `source` the content of
    audit.json and source.json; `attributes` are columns of people.csv, such as sex.
    """
    equal, near = audit["duplicates"], audit["near_duplicates"] or {"pairs": "unknown"}
    group = ["group: person, subject or clip"] if "group" in table else []
    responsible = {
        "dataCollection": f"Fetched from {source['source']} ({source['kind']}).",
        "dataAnnotationAnalysis": about.labels,
        "dataBiases": about.people,
        "dataLimitations": [
            f"groups of equal pictures: {equal['groups']}, of {equal['files']} files",
            f"pairs of near-duplicates: {near['pairs']}",
            *(f"left out, {why.replace('_', ' ')}: {n}" for why, n in audit["dropped"].items()),
        ],
        "dataPreprocessingProtocol": f"Splits and what is left out: protocol {audit['protocol']}.",
        "personalSensitiveInformation": [*group, *attributes],
    }
    rows = _records("index", list(table))
    for field in rows["field"]:
        name = field["name"]
        field["source"] = {"fileObject": {"@id": "index.csv"}, "extract": {"column": name}}
        if name in ("class", "split"):
            field["references"] = {"field": {"@id": f"{name}/name"}}
    splits, classes = (counts[[name]].drop_duplicates() for name in ("split", "class"))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [f"http://mlcommons.org/croissant/{name}" for name in ("1.0", "RAI/1.0")],
        "name": about.dataset,
        "description": f"Pictures of faces with {audit['classes']} apparent expressions: "
        f"{audit['pictures']} pictures, of which {sum(audit['used'].values())} are used.",
        "license": source["licence"],
        **{f"rai:{key}": value for key, value in responsible.items() if value},
        "distribution": [
            _named("FileObject", "images.zip")
            | {"contentUrl": "../raw/images.zip", "contentSize": f"{source['bytes']} B"}
            | {"encodingFormat": "application/zip", "sha256": source["sha256"]},
            _named("FileSet", "pictures")
            | {"containedIn": {"@id": "images.zip"}, "includes": "*/*/*"}
            | {"encodingFormat": "image/*"},
            _named("FileObject", "index.csv")
            | {"contentUrl": "index.csv", "encodingFormat": "text/csv", "sha256": index_sha256},
        ],
        "recordSet": [
            _records("split", ["name"], splits) | {"dataType": "cr:Split"},
            _records("class", ["name"], classes),
            _records("counts", ["class", "split", "count"], counts),
            rows,
        ],
    }


def _records(name: str, columns: Sequence[str], rows: pd.DataFrame | None = None) -> dict[str, Any]:
    """A record set with these columns, and its rows if they stand in croissant.json itself."""
    ids = [f"{name}/{column}" for column in columns]
    made = _named("RecordSet", name)
    made["field"] = [
        {**_named("Field", of), "name": column, "dataType": TYPES.get(column, "sc:Text")}
        for of, column in zip(ids, columns, strict=True)
    ]
    if rows is not None:
        made["key"] = [{"@id": of} for of in ids if not of.endswith("/count")]
        made["data"] = [dict(zip(ids, row, strict=True)) for row in rows.to_numpy().tolist()]
    return made


def _named(kind: str, name: str) -> dict[str, Any]:
    return {"@type": f"cr:{kind}", "@id": name, "name": name}
