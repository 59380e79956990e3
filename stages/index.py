"""Stage `index`: a row a picture, splits, faults, a description of the set.  RAW -> OUT.

Reads   RAW/images.zip, people.csv, source.json of stage `fetch`, sections index: and export: of
        --params, and the tables that index.labels and index.exclude name, if any.
Writes  OUT/index.csv         one row a picture: path, class, split, group (only if the set says
                              groups), sha256 of its decoded pixels, width, height, mode, mean, std,
                              duplicate_of, dropped_because, votes (with soft targets only),
                              leak_free: 1 if no duplicate or near-duplicate of it was found in any
                              split, else 0
        OUT/audit.csv         every finding: path, kind, partner, score
        OUT/audit.json        counts of findings, drops and groups in several splits, imbalance
        OUT/class_counts.csv  pictures used, by class and split
        OUT/croissant.json    the set in MLCommons' Croissant format
"""

from collections.abc import Sequence

from facial_expression.core.command import spreading
from facial_expression.core.errors import damaged, run
from facial_expression.core.files import read_json, remove_leftovers, sha256_of, write_json
from facial_expression.core.params import load
from facial_expression.core.tables import read_people, write_table
from facial_expression.index import audit, croissant
from facial_expression.index.table import IndexParameters, build_index


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments, build the index, write its files."""
    paths = {"--params": "a file of conf/data", "--out": "folder to write to"}
    stores = {"--raw": "folder of stage fetch"}
    args = spreading("stages.index", __doc__, paths, stores).parse_args(argv)
    remove_leftovers(args.out)
    params = load(args.params, "index", IndexParameters)
    about = load(args.params, "export", croissant.Described)
    with damaged(args.raw / "source.json", "the fetch stage"):
        source = read_json(args.raw / "source.json", "the fetch stage")
        source = {name: source[name] for name in croissant.SOURCE}
    people = read_people(args.raw / "people.csv")
    images = args.raw / "images.zip"
    table, found = build_index(images, people, params, args.workers, args.scheduler)
    counts = audit.class_counts(table)
    write_table(args.out / "index.csv", table)
    write_table(args.out / "class_counts.csv", counts)
    write_table(args.out / "audit.csv", found)
    searched = params.near_duplicate is not None
    summary = audit.summary(table, found, params.labels.described(), searched)
    summary = {"protocol": params.protocol, **summary}
    write_json(args.out / "audit.json", summary)
    told = list(people)[2:], sha256_of(args.out / "index.csv"), about
    described = croissant.describe(table, counts, summary, source, *told)
    write_json(args.out / "croissant.json", described)
    used = ", ".join(f"{split} {count}" for split, count in summary["used"].items())
    dropped = sum(summary["dropped"].values())
    print(f"indexed {len(table)} pictures: {used}; {dropped} dropped; {len(found)} findings")


if __name__ == "__main__":
    run(main)
