"""Write results as they come: lines, annotated copies, messages and a progress bar."""

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
    from facial_expression.inference.pipeline import Result


@dataclass(frozen=True)
class Options:
    """What is written, and where.

    Attributes:
        format: a key of `formats.FORMATS`.
        out: file for the lines; None writes them to standard output.
        draw: folder for annotated copies; None draws none.
        quiet: report only what was skipped.
        live: a camera, which Ctrl-C ends without an error.
        total: counts the pictures for the progress bar; None for an unknown number.
    """

    format: str
    out: Path | None
    draw: Path | None
    quiet: bool
    live: bool
    total: Callable[[], int | None]


def write(results: Iterable[Result], classes: Sequence[str], options: Options) -> bool:
    """Write each result as it comes; returns whether every picture could be read.

    Raises:
        ParameterError: `options.out` or `options.draw` cannot be written to.
    """
    from facial_expression.core.files import write_bytes
    from tools.predict.drawing import draw, file_name, jpeg
    from tools.predict.formats import FORMATS, printable

    if options.draw:
        make_folder(options.draw)
    header, lines = FORMATS[options.format](classes)
    pictures = faces = empty = skipped = 0
    with _stream(options.out) as stream:
        stream.write(header)
        try:
            for pictures, result in enumerate(progress(results, options), 1):
                stream.write(lines(result))
                stream.flush()
                faces += len(result.faces)
                empty += not (result.faces or result.error)
                if result.error:
                    skipped += 1
                    say(f"skipped {printable(result.path)}: {printable(result.error)}")
                elif options.draw and result.rgb:
                    drawn = draw(result.rgb, result.faces, classes)
                    write_bytes(options.draw / file_name(pictures, result), jpeg(drawn))
        except KeyboardInterrupt:
            if not options.live:
                raise
    if not options.quiet:
        say(
            f"pictures {pictures:,} (without a face {empty:,}, skipped {skipped:,}), "
            f"faces {faces:,}"
        )
    return not skipped


def make_folder(path: Path) -> None:
    """Make the folder of the drawings and test that files can be written there.

    Raises:
        ParameterError: they cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _not_writable("--draw", path, error) from None


def progress(results: Iterable[Result], options: Options) -> Iterable[Result]:
    """`results` with a progress bar if standard error is a terminal that shows nothing else."""
    shown = sys.stderr.isatty() and not (options.out is None and sys.stdout.isatty())
    if options.quiet or not shown:
        return results
    from tqdm import tqdm

    return tqdm(results, total=options.total(), delay=1, unit="picture")


def say(text: str) -> None:
    """Print a line on standard error without breaking a progress bar."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


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
            raise _not_writable("--out", path, error) from None
        yield file


def _not_writable(option: str, path: Path, error: OSError) -> ParameterError:
    return ParameterError(
        f"{option} {path}: cannot write there: {error.strerror}; choose another place"
    )
