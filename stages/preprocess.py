"""Stage `preprocess`: decode pictures into arrays.  IMAGES, INDEX -> OUT  (params: preprocess).

Reads   images.zip and index.csv.
Writes  OUT/<split>/images-000.npy ...  uint8 (N, side, side), fixed-size shards
        OUT/<split>/labels-000.npy ...  int64 (N,), positions in classes.json
        OUT/<split>/targets-000.npy ... float32 (N, classes), shares of the votes; only where
                                        index.csv has a column votes
        OUT/<split>/rows.csv            row of index.csv, member path and leak_free of each element
        OUT/classes.json                class names in label order
The bytes do not depend on the number of worker processes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.errors import run
from facial_expression.core.params import load
from facial_expression.preprocess.shards import PreprocessParameters, write_arrays


def main(argv: Sequence[str] | None = None) -> None:
    """Parse arguments and write the arrays."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.preprocess",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--params", type=Path, required=True, help="YAML with section preprocess:")
    parser.add_argument("--images", type=Path, required=True, help="images.zip")
    parser.add_argument("--index", type=Path, required=True, help="index.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    args = parser.parse_args(argv)
    params = load(args.params, "preprocess", PreprocessParameters)
    write_arrays(args.images, args.index, args.out, params, max(1, args.workers))


if __name__ == "__main__":
    run(main)
