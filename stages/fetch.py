"""Stage `fetch`: bring the data set here as one normalised archive with a known sha256.

Reads   the section `fetch:` of --params, and the source that it names
Writes  OUT/images.zip   the pictures, <split>/<class>/<name>; same pictures, same bytes
        OUT/people.csv   path in images.zip, group (a person, subject or clip), attributes, for the
                         pictures of which the set says them
        OUT/source.json  where they came from, sha256, bytes, files, licence note

A source that can change unnoticed needs a pin, `fetch.sha256`: every remote source, and a local one
outside the folder that DVC watches, data/source/<name of the parameter file>.
"""

from collections.abc import Sequence

from facial_expression.core.command import spreading
from facial_expression.core.errors import run
from facial_expression.core.files import remove_leftovers
from facial_expression.core.params import load
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.fetch.run import fetch, sha256_only


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch, check against the pin, write; or only print the hash that a pin needs."""
    paths = {"--params": "a file of conf/data", "--out": "folder to write, data/raw"}
    command = spreading("stages.fetch", __doc__, paths, {})
    command.add_argument(
        "--print-sha256", action="store_true", help="only print the hash to pin; keep nothing"
    )
    args = command.parse_args(argv)
    params = load(args.params, "fetch", FetchParameters)
    if args.print_sha256:
        print(sha256_only(params, args.workers, args.scheduler))
    else:
        remove_leftovers(args.out)
        fetch(params, args.params, args.out, args.workers, args.scheduler)


if __name__ == "__main__":
    run(main)
