"""Stage `index`: list every picture, give it a split, find faults.  IMAGES -> OUT  (params: index).

Reads   images.zip, the normalised archive that stage `fetch` wrote, and the FER+ votes that
        index.labels names, if it names some.
Writes  OUT/index.csv         one row a picture: path, class, split, sha256 of its decoded pixels,
                              width, height, mode, mean, std, duplicate_of, dropped_because;
                              and votes, with soft targets
        OUT/audit.json        counts of duplicates, leaks, conflicting labels, blanks, drops
        OUT/class_counts.csv  pictures used, by class and split
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm

from facial_expression.dataset import archive, audit, ferplus, listing, votes
from facial_expression.errors import ImageError, run
from facial_expression.files import write_csv, write_json
from facial_expression.parameters import CLOSED, load

SHOWN = 5  # undecodable pictures that an error message lists


@dataclass(frozen=True, config=CLOSED)
class IndexParameters:
    """Section `index` of conf/data/*.yaml.

    Attributes:
        protocol: `clean` keeps what stands in val or test out of training; `notebook` does not.
        val_fraction: share of each class held out for validation where a set brings none.
        test_fraction: the same for test.
        seed: of the hold-out.
        on_bad_image: what a picture that cannot be decoded does: `error` stops the run, `skip`
            leaves it out and counts it.
        labels: where classes come from; the pictures' folders, unless it says otherwise.
    """

    protocol: listing.Protocol
    val_fraction: Annotated[float, Field(gt=0, lt=1)]
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]
    on_bad_image: Literal["error", "skip"]
    labels: ferplus.Labels = ferplus.FOLDERS


def build_index(images: Path, params: IndexParameters, workers: int) -> list[listing.Row]:
    """The rows of index.csv for the archive at `images`, sorted by path.

    Raises:
        ImageError: a picture cannot be decoded and `on_bad_image` is `error`.
        DatasetError: the pictures do not form a data set, or the votes are not theirs.
    """
    places = archive.members(images)
    scanned = listing.scan(images, places, workers)
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
    rows = listing.assign_splits(
        rows, params.protocol, params.val_fraction, params.test_fraction, params.seed
    )
    labels = params.labels
    if labels.source == "ferplus":
        cast = votes.read_pinned(labels.votes, labels.sha256, (row.path for row in rows))
        rows = ferplus.relabelled(rows, labels, cast)
    marked = audit.mark(rows, params.protocol)
    listing.check_classes(marked)
    return marked


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, build the index, write its three files."""
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
    rows = build_index(args.images, params, max(1, args.workers))
    soft = any(row.votes for row in rows)
    names = [field.name for field in fields(listing.Row) if soft or field.name != "votes"]
    header = ["class" if name == "label" else name for name in names]
    write_csv(
        args.out / "index.csv", header, ([getattr(row, name) for name in names] for row in rows)
    )
    write_csv(args.out / "class_counts.csv", ("class", "split", "count"), audit.class_counts(rows))
    summary = audit.summary(rows, params.protocol, params.labels.described())
    write_json(args.out / "audit.json", summary)
    used = ", ".join(f"{split} {count}" for split, count in summary["used"].items())
    print(f"indexed {len(rows)} pictures: {used}; {sum(summary['dropped'].values())} dropped")


if __name__ == "__main__":
    run(main)
