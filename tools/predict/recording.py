"""What tools.predict writes: its lines, annotated copies, and how far it is."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from facial_expression.core.errors import ParameterError

if TYPE_CHECKING:
    from facial_expression.inference.pipeline import Seen


@dataclass(frozen=True)
class Output:
    """What is written, and where.

    Attributes:
        form: a key of `records.FORMATS`.
        out: the file of the lines; None writes them to standard output.
        draw: the folder of annotated copies; None draws none.
        quiet: say only what was skipped.
        live: a camera, which Ctrl-C ends as it should.
        total: how many pictures there will be; None where that is not known.  Asked for the bar.
    """

    form: str
    out: Path | None
    draw: Path | None
    quiet: bool
    live: bool
    total: Callable[[], int | None]


def record(seen: Iterable[Seen], classes: Sequence[str], output: Output) -> bool:
    """Write what was seen as it comes; whether everything could be read.

    Raises:
        ParameterError: `output.out` or `output.draw` cannot be written to.
    """
    from facial_expression.inference.records import FORMATS, printable

    if output.draw:
        make_folder(output.draw)
    head, lines = FORMATS[output.form](classes)
    pictures = faces = empty = skipped = 0
    with _stream(output.out) as stream:
        stream.write(head)
        try:
            for pictures, each in enumerate(progress(seen, output), 1):
                stream.write(lines(each))
                stream.flush()
                faces += len(each.faces)
                if each.error:
                    skipped += 1
                    say(f"skipped {printable(each.path)}: {printable(each.error)}")
                else:
                    empty += not each.faces
                    _draw(each, pictures, classes, output.draw)
        except KeyboardInterrupt:
            if not output.live:
                raise
    if not output.quiet:
        say(
            f"pictures {pictures:,} (without a face {empty:,}, skipped {skipped:,}), "
            f"faces {faces:,}"
        )
    return not skipped


def make_folder(path: Path) -> None:
    """Make the folder of the drawings, and see that it can be written to, before the work.

    Raises:
        ParameterError: it cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _no_place("--draw", path, error) from None


def progress(seen: Iterable[Seen], output: Output) -> Iterable[Seen]:
    """With a bar where there is a terminal that shows nothing else and the work is long."""
    shown = sys.stderr.isatty() and not (output.out is None and sys.stdout.isatty())
    if output.quiet or not shown:
        return seen
    from tqdm import tqdm

    return tqdm(seen, total=output.total(), delay=1, unit="picture")


def say(text: str) -> None:
    """A line on standard error, beside a bar where there is one."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def _draw(seen: Seen, number: int, classes: Sequence[str], folder: Path | None) -> None:
    from facial_expression.core.files import write_bytes
    from facial_expression.inference.drawing import draw, jpeg, name_of

    if folder and seen.rgb:
        write_bytes(folder / name_of(number, seen), jpeg(draw(seen.rgb, seen.faces, classes)))


@contextmanager
def _stream(path: Path | None) -> Iterator[TextIO]:
    from facial_expression.core.files import atomic

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


def _no_place(option: str, path: Path, error: OSError) -> ParameterError:
    return ParameterError(
        f"{option} {path}: cannot write there: {error.strerror}; name another place"
    )
