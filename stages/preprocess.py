"""Stage `preprocess`: decode pictures into arrays.  IMAGES, INDEX -> OUT  (params: preprocess).

Reads   images.zip and index.csv.
Writes  OUT/<split>/images-000.npy ...  uint8 (N, side, side), fixed-size shards
        OUT/<split>/labels-000.npy ...  int64 (N,), positions in classes.json
        OUT/<split>/targets-000.npy ... float32 (N, classes), shares of the votes; only where
                                        index.csv has a column votes
        OUT/<split>/rows.csv            row of index.csv, member path and leak_free of each element
        OUT/classes.json                class names in label order
The bytes do not depend on the number of worker processes, nor on where they run.
"""

from collections.abc import Sequence

from facial_expression.core.command import spreading
from facial_expression.core.errors import run
from facial_expression.core.files import remove_leftovers
from facial_expression.core.params import load
from facial_expression.preprocess.shards import PreprocessParameters, write_arrays


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and write the arrays."""
    paths = {"--params": "YAML with section preprocess:", "--index": "index.csv"}
    stores = {"--images": "images.zip", "--out": "folder to write to"}
    args = spreading("stages.preprocess", __doc__, paths, stores).parse_args(argv)
    remove_leftovers(args.out)
    params = load(args.params, "preprocess", PreprocessParameters)
    write_arrays(args.images, args.index, args.out, params, args.workers, args.scheduler)


if __name__ == "__main__":
    run(main)
