"""Write the page of tools.web as a folder that any web server can serve: the browser predicts.

    python -m tools.site --out DIR [--model FILE] [--runtime TARBALL]

Reads   FILE, an ONNX network that stage export wrote; model_card.md and README.md beside it; and
        onnxruntime-web, which npm fetches from the registry that it is configured for, or TARBALL.
Writes  DIR: the page, the network, the face detector and onnxruntime-web.  Other files there stay.

`python -m http.server --directory DIR` shows it.  The page loads nothing from elsewhere and sends
no picture anywhere.
"""

from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.command import parser
from facial_expression.core.errors import run
from facial_expression.inference.released import CLONE

RELEASED_INT8 = CLONE.with_name("expression-int8.onnx")


def main(argv: Sequence[str] | None = None) -> None:
    """Make the page in memory, then write it."""
    arguments = parser("tools.site", __doc__, {"--out": "folder to write to"})
    add = arguments.add_argument
    add("--model", type=Path, default=RELEASED_INT8, metavar="FILE",
        help="default released/expression-int8.onnx, which `dvc pull` brings")  # fmt: skip
    add("--runtime", type=Path, metavar="TARBALL",
        help="what `npm pack` wrote, instead of letting npm fetch it")  # fmt: skip
    args = arguments.parse_args(argv)
    from facial_expression.core.files import write_bytes
    from tools.site.page import NETWORKS, page

    files = page(args.model, args.runtime)
    for name, data in files.items():
        write_bytes(args.out / name, data)
    size = sum(len(files[name]) for name in NETWORKS)
    print(
        f"{args.out}: {len(files)} files, {sum(map(len, files.values())) / 1e6:.1f} MB, of which "
        f"{size / 1e6:.2f} MB are networks; python -m http.server --directory {args.out} shows it"
    )


if __name__ == "__main__":
    run(main)
