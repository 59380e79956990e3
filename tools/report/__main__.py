"""One HTML file of a run, for reading and mailing: scores, figures, audit, card, parameters.

    python -m tools.report [--run DIR] [--out FILE]

Reads   what the stages wrote in DIR (data/), and beside it params.yaml and the two files in conf/
        that it names.  DVC says whether all of it belongs to one run (`dvc status`).
Writes  FILE: everything in one file, pictures included; no script, no request to anywhere.
        It shows pictures of the data, so a path that git would track is refused.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from facial_expression.core.command import parser
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.files import write_text
from tools.arguments import new_file

LIMIT = 5_000_000  # bytes that a mail may carry nearly everywhere


def check_untracked(path: Path) -> None:
    """Raise ParameterError if git would track the file: it is in a work tree and not ignored."""
    path = path.resolve()
    folder = next(parent for parent in path.parents if parent.is_dir())
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), "check-ignore", "--quiet", "--", str(path)]
    try:
        known = not subprocess.run(command, env=clean, capture_output=True, check=False).returncode
    except FileNotFoundError:
        known = False
    if not known:
        raise ParameterError(
            f"{path}: expected a path that git ignores or knows nothing of, since the report shows "
            "pictures, found one that git would track; name a place outside the repository by --out"
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Read the run, write the page, say how large it is."""
    command = parser("tools.report", __doc__)
    add = command.add_argument
    add("--run", type=Path, default=Path("data"), metavar="DIR", help="of a run (default: data)")
    add("--out", type=new_file, metavar="FILE", help="to write (default: DIR/report.html)")
    args = command.parse_args(argv)
    out = args.out or args.run / "report.html"
    from tools.report import page
    from tools.report.history import outputs_and_differences
    from tools.report.run import read

    if args.run.is_dir():
        check_untracked(out)
    found = read(args.run.resolve())
    outputs, differences = outputs_and_differences(args.run.resolve().parent)
    text = page.render(found, outputs, differences)
    write_text(out, text)
    size = len(text.encode())
    print(f"wrote {out}, {size / 1e6:.1f} MB; open it in a browser")
    if differences:
        print(
            f"note: {differences[0]} The report says so too ({len(differences)}).", file=sys.stderr
        )
    if size > LIMIT:
        print(
            f"note: over {LIMIT / 1e6:.0f} MB; a lower plot.dpi makes it smaller", file=sys.stderr
        )


if __name__ == "__main__":
    run(main)
