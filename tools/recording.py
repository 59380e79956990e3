"""What tools.predict writes: its lines, annotated copies, and how far it is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from facial_expression.errors import ParameterError

if TYPE_CHECKING:
    from facial_expression.inference.pipeline import Seen

Total = Callable[[], int | None]
"""How many pictures there will be; None where that is not known.  Asked where it is shown."""


def record(
    seen: Iterable[Seen], classes: Sequence[str], args: argparse.Namespace, total: Total
) -> bool:
    """Write what was seen as it comes; whether everything could be read.

    Args:
        seen: one picture after the other.
        classes: names of the classes.
        args: of tools.predict: camera, draw, format, out and quiet count.
        total: for the progress bar.

    Raises:
        ParameterError: the file of --out cannot be written.
    """
    from facial_expression.inference.records import FORMATS, printable

    head, lines = FORMATS[args.format](classes)
    pictures = faces = empty = skipped = 0
    with _stream(args.out) as stream:
        stream.write(head)
        try:
            for pictures, each in enumerate(_progress(seen, args, total), 1):
                stream.write(lines(each))
                stream.flush()
                faces += len(each.faces)
                if each.error:
                    skipped += 1
                    say(f"skipped {printable(each.path)}: {printable(each.error)}")
                else:
                    empty += not each.faces
                    _draw(each, pictures, classes, args.draw)
        except KeyboardInterrupt:
            if args.camera is None:
                raise
    if not args.quiet:
        say(
            f"pictures {pictures:,} (without a face {empty:,}, skipped {skipped:,}), "
            f"faces {faces:,}"
        )
    return not skipped


def _draw(seen: Seen, number: int, classes: Sequence[str], folder: Path | None) -> None:
    from facial_expression.files import write_bytes
    from facial_expression.inference.drawing import draw, jpeg, name_of

    if folder and seen.rgb:
        write_bytes(folder / name_of(number, seen), jpeg(draw(seen.rgb, seen.faces, classes)))


@contextmanager
def _stream(path: Path | None) -> Iterator[TextIO]:
    from facial_expression.files import atomic

    if path is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        yield sys.stdout
        return
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(atomic(path))
            file = stack.enter_context(temporary.open("w", encoding="utf-8", newline="\n"))
        except OSError as error:
            raise _no_place("--out", path, error) from None
        yield file


def _progress(seen: Iterable[Seen], args: argparse.Namespace, total: Total) -> Iterable[Seen]:
    """With a bar where there is a terminal that shows nothing else and the work is long."""
    if args.quiet or not sys.stderr.isatty() or (args.out is None and sys.stdout.isatty()):
        return seen
    from tqdm import tqdm

    return tqdm(seen, total=total(), delay=1, unit="picture")


def say(text: str) -> None:
    """A line on standard error, beside a bar where there is one."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def make_folder(path: Path) -> None:
    """Make the folder of --draw, before work is done for it.

    Raises:
        ParameterError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_place("--draw", path, error) from None


def _no_place(option: str, path: Path, error: OSError) -> ParameterError:
    return ParameterError(
        f"{option} {path}: cannot write there: {error.strerror}; name another place"
    )
