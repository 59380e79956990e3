"""Stage `index`: list every picture, give it a split, find faults.  IMAGES -> OUT  (params: index).

Reads   images.zip, the normalised archive that stage `fetch` wrote, and the tables that
        index.labels and index.exclude name, if they name some.
Writes  OUT/index.csv         one row a picture: path, class, split, sha256 of its decoded pixels,
                              width, height, mode, mean, std, duplicate_of, dropped_because,
                              votes (with soft targets only), leak_free: 1 if no duplicate or
                              near-duplicate of it was found in any split, else 0
        OUT/audit.csv         every finding: path, kind, partner, score
        OUT/audit.json        counts of findings and drops, class imbalance
        OUT/class_counts.csv  pictures used, by class and split
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm

from facial_expression.core.errors import ImageError, ParameterError, run
from facial_expression.core.files import write_csv, write_json
from facial_expression.core.params import CLOSED, load, pinned
from facial_expression.index import audit, dropping, ferplus, table, votes
from facial_expression.index.near_duplicates import SIDE, Pair, Thumbnails, near_duplicates
from facial_expression.pictures import archive
from facial_expression.pictures.squares import read_squares

SHOWN = 5  # undecodable pictures that an error message lists


@dataclass(frozen=True, config=CLOSED)
class Exclude:
    """Training pictures that leave because a person says so.

    Attributes:
        table: a CSV table with a column `path`, which names members of images.zip; empty: none.
        sha256: of that file, so that another file there is noticed.
    """

    table: str
    sha256: str


@dataclass(frozen=True, config=CLOSED)
class IndexParameters:
    """Section `index` of conf/data/*.yaml.

    Attributes:
        protocol: `clean` drops what `drop` and `exclude` say; `notebook` drops nothing.
        near_duplicate: the least similarity of near-duplicates; none: they are not searched, which
            saves time that grows with the square of the number of pictures.
        drop: kinds of training pictures that leave training (`dropping.Drop`).
        exclude: names a table of training pictures that leave as well.
        val_fraction: share of each class held out for validation where a set brings none.
        test_fraction: the same for test.
        seed: of the hold-out.
        on_bad_image: what a picture that cannot be decoded does: `error` stops the run, `skip`
            leaves it out and counts it.
        labels: where classes come from; the pictures' folders, unless it says otherwise.
    """

    protocol: table.Protocol
    near_duplicate: Annotated[float, Field(ge=0.5, lt=1)] | None
    drop: tuple[dropping.Drop, ...]
    exclude: Exclude
    val_fraction: Annotated[float, Field(gt=0, lt=1)]
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]
    on_bad_image: Literal["error", "skip"]
    labels: ferplus.Labels = ferplus.FOLDERS


def build_index(
    images: Path, params: IndexParameters, workers: int
) -> tuple[list[table.Row], list[audit.Finding]]:
    """The rows of index.csv for the archive at `images`, sorted by path, and those of audit.csv.

    Raises:
        ImageError: a picture cannot be decoded and `on_bad_image` is `error`.
        DatasetError: the pictures do not form a data set, an excluded one is none of train's, or
            the votes are not theirs.
        ParameterError: a table that the parameters name is not the one that is pinned, or `drop`
            names near-duplicates, which are not searched.
    """
    check_search(params)
    excluded = read_excluded(params)
    places = archive.members(images)
    scanned = table.scan(images, places, workers)
    rows = list(tqdm(scanned, "index", len(places), unit=" pictures", leave=False, disable=None))
    del scanned, places  # memory
    bad = [row for row in rows if row.dropped_because]
    if bad and params.on_bad_image == "error":
        listed = "; ".join(f"{row.path} ({row.dropped_because})" for row in bad[:SHOWN])
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise ImageError(
            f"{images}: {len(bad)} of {len(rows)} pictures cannot be decoded: {listed}{more}; "
            "remove them, or set index.on_bad_image to skip"
        )
    for row in bad:
        print(f"left out {row.path}: {row.dropped_because}", file=sys.stderr)
    rows = table.assign_splits(
        rows, params.protocol, params.val_fraction, params.test_fraction, params.seed
    )
    labels = params.labels
    if labels.source == "ferplus":
        cast = votes.read_pinned(labels.votes, labels.sha256, (row.path for row in rows))
        rows = ferplus.relabelled(rows, labels, cast)
    rows = audit.group(rows)
    found = audit.findings(rows, partial(near_pairs, images, params.near_duplicate, workers))
    if params.protocol == "clean":
        rows = dropping.drop(rows, found, params.drop, excluded)
    table.check_classes(rows)
    return rows, found


def check_search(params: IndexParameters) -> None:
    """Raise ParameterError if near-duplicates shall leave but are not searched."""
    if params.near_duplicate is None and (kinds := [k for k in dropping.NEAR if k in params.drop]):
        raise ParameterError(
            f"index.drop: {' and '.join(kinds)} needs a search for near-duplicates, found "
            "index.near_duplicate null; set it to a similarity such as 0.8, or take it out of drop"
        )


def near_pairs(
    images: Path, least: float | None, workers: int, rows: list[table.Row]
) -> list[Pair]:
    """The near-duplicates among some rows, by their positions; none if `least` is none."""
    if least is None:
        return []
    hashes = np.array([row.perceptual_hash for row in rows], np.uint64)

    def read(positions: list[int]) -> Thumbnails:
        return read_squares(images, [rows[place].path for place in positions], SIDE, workers)

    return near_duplicates(hashes, least, read, workers)


def read_excluded(params: IndexParameters) -> set[str]:
    """The paths in the table that `exclude` names.

    Raises:
        ParameterError: it is missing, has no column `path` or another sha256, or the protocol is
            `notebook`, which drops nothing.
    """
    key, table = "index.exclude", Path(params.exclude.table)
    if not params.exclude.table:
        return set()
    if params.protocol == "notebook":
        raise ParameterError(
            f"{key}.table: protocol notebook drops nothing, found {table}; set it to '', or the "
            "protocol to clean"
        )
    pinned(params.exclude.table, params.exclude.sha256, f"{key}.table", "mend the path")
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:  # Excel writes a mark first
            return {row["path"] for row in csv.DictReader(stream)}
    except (KeyError, UnicodeDecodeError):
        raise ParameterError(
            f"{key}.table: expected a CSV table with a column path, found none in {table}; add it"
        ) from None


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, build the index, write its four files."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.index",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", type=Path, required=True, help="YAML with a section index:")
    parser.add_argument("--images", type=Path, required=True, help="images.zip")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    args = parser.parse_args(argv)

    params = load(args.params, "index", IndexParameters)
    rows, found = build_index(args.images, params, max(1, args.workers))
    hidden = {"perceptual_hash"} if any(row.votes for row in rows) else {"perceptual_hash", "votes"}
    names = [field.name for field in fields(table.Row) if field.name not in hidden]
    header = ["class" if name == "label" else name for name in names]
    paired = audit.paired(found)
    cells = ([*(getattr(row, name) for name in names), int(row.path not in paired)] for row in rows)
    write_csv(args.out / "index.csv", [*header, "leak_free"], cells)
    write_csv(args.out / "class_counts.csv", ("class", "split", "count"), audit.class_counts(rows))
    write_csv(args.out / "audit.csv", audit.Finding._fields, found)
    summary = audit.summary(
        rows,
        found,
        params.protocol,
        params.labels.described(),
        searched=params.near_duplicate is not None,
    )
    write_json(args.out / "audit.json", summary)
    used = ", ".join(f"{split} {count}" for split, count in summary["used"].items())
    dropped = sum(summary["dropped"].values())
    print(f"indexed {len(rows)} pictures: {used}; {dropped} dropped; {len(found)} findings")


if __name__ == "__main__":
    run(main)
