"""The command `facial-expression`, which reads faces wherever the package is installed.

    facial-expression predict PATH...   faces in pictures, folders and videos, or of a webcam
    facial-expression web               the same on a page in the browser
    facial-expression info              the network: where, whose terms, how good; the versions

Each tells its options with --help.  In a clone `python -m tools.predict`, ... are the same.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from facial_expression.core.command import parser
from facial_expression.core.errors import run

COMMANDS = {"predict": "tools.predict.__main__", "web": "tools.web.__main__", "info": "tools.info"}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the commands."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser("tools", __doc__)
    arguments.add_argument("command", choices=COMMANDS)
    command = arguments.parse_args(given[:1]).command
    import_module(COMMANDS[command]).main(given[1:])


def entry() -> None:
    """What the installed script calls."""
    run(main)


if __name__ == "__main__":
    entry()
