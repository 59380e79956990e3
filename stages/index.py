"""Stage `index`: a row a picture, splits, faults, a description.  IMAGES, PEOPLE -> OUT.

Reads   images.zip and people.csv, which stage `fetch` wrote, and the tables that index.labels and
        index.exclude name, if any.
Writes  OUT/index.csv         one row a picture: path, class, split, group (only if the set says
                              groups), sha256 of its decoded pixels, width, height, mode, mean, std,
                              duplicate_of, dropped_because, votes (with soft targets only),
                              leak_free: 1 if no duplicate or near-duplicate of it was found in any
                              split, else 0
        OUT/audit.csv         every finding: path, kind, partner, score
        OUT/audit.json        counts of findings and drops, class imbalance
        OUT/class_counts.csv  pictures used, by class and split
"""

from __future__ import annotations

from collections.abc import Sequence

from facial_expression.core.command import at_least, parser, processors
from facial_expression.core.errors import run
from facial_expression.core.files import write_json
from facial_expression.core.params import load
from facial_expression.core.tables import write_table
from facial_expression.index import audit
from facial_expression.index.table import IndexParameters, build_index


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, build the index, write its four files."""
    paths = {
        "--params": "YAML with a section index:",
        "--images": "images.zip",
        "--people": "people.csv",
        "--out": "folder to write to",
    }
    command = parser("stages.index", __doc__, paths)
    command.add_argument("--workers", type=at_least(1), default=processors(), help="processes")
    args = command.parse_args(argv)
    params = load(args.params, "index", IndexParameters)
    table, found = build_index(args.images, args.people, params, args.workers)
    write_table(args.out / "index.csv", table)
    write_table(args.out / "class_counts.csv", audit.class_counts(table))
    write_table(args.out / "audit.csv", found)
    searched = params.near_duplicate is not None
    counts = audit.summary(table, found, params.labels.described(), searched)
    write_json(args.out / "audit.json", {"protocol": params.protocol, **counts})
    used = ", ".join(f"{split} {count}" for split, count in counts["used"].items())
    dropped = sum(counts["dropped"].values())
    print(f"indexed {len(table)} pictures: {used}; {dropped} dropped; {len(found)} findings")


if __name__ == "__main__":
    run(main)
