"""Draw the faces of the embedded sample and pack them, after a change of facial_expression/sample.

Writes  OUT   the archive that stage fetch takes the sample from (conf/data/sample.yaml)

It prints the sha256 for `fetch.sha256` there.  Another build of Pillow's JPEG encoder may give
other bytes of the same faces, so the archive is in git and no stage draws.
"""

from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.core.files import atomic, sha256_of, write_zip
from facial_expression.sample.dataset import draw
from tools.arguments import new_file

ARCHIVE = Path("data/source/sample/faces.zip")


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, write, print the hash."""
    command = parser("tools.draw_sample", __doc__)
    command.add_argument("--out", type=new_file, default=ARCHIVE, help="zip to write (%(default)s)")
    out = command.parse_args(argv).out
    with atomic(out) as path:
        count = write_zip(path, draw())
    print(f"wrote {count} pictures to {out}, sha256 {sha256_of(out)}")


if __name__ == "__main__":
    run(main)
