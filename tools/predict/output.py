"""Write results as they come: lines, annotated copies, messages and a progress bar."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from facial_expression.core.errors import ParameterError
from facial_expression.core.files import atomic, write_bytes
from facial_expression.inference.pipeline import Result
from tools.predict.drawing import draw, file_name, jpeg
from tools.predict.formats import FORMATS, as_table, printable


def write(
    results: Iterator[Result],
    classes: Sequence[str],
    form: str,
    out: Path | None,
    drawings: Path | None,
    *,
    quiet: bool,
    live: bool,
    notice: str = "",
    empty_folders: int = 0,
) -> bool:
    """Write each result as it comes.

    Args:
        results: one per picture.
        classes: names, in the order of the probabilities.
        form: a key of `formats.FORMATS`.
        out: file for the lines; None writes them to standard output.
        drawings: folder for annotated copies; None draws none.
        quiet: report only what was skipped.
        live: the pictures come from a camera, which Ctrl-C ends without an error.
        notice: said after faces that a person reads in a terminal.
        empty_folders: number of folders without pictures, for the summary.

    Returns:
        Whether every picture could be read and no folder was empty.

    Raises:
        ParameterError: `out` or `drawings` cannot be written to.
    """
    header, lines = FORMATS[form](classes)
    if form == "table" and out is None and sys.stdout.isatty():
        header, lines = as_table(classes, shutil.get_terminal_size().columns)
    pictures = faces = empty = skipped = 0
    made = [path for path in (drawings, out and out.parent) if path and not path.exists()]
    if drawings:
        _make_folder(drawings)
    with _stream(out) as stream:
        if not quiet:
            for folder in made:
                say(f"created the folder {printable(str(folder))}")
        stream.write(header)
        try:
            for pictures, result in enumerate(results, 1):
                stream.write(lines(result))
                stream.flush()
                faces += len(result.faces)
                empty += not (result.faces or result.error)
                if result.error:
                    skipped += 1
                    say(f"skipped {printable(result.path)}: {printable(result.error)}")
                elif drawings and result.rgb:
                    drawn = draw(result.rgb, result.size, result.faces)
                    write_bytes(drawings / file_name(pictures, result), jpeg(drawn))
        except KeyboardInterrupt:
            if not live:
                raise
    if not quiet:
        folders = f", folders without pictures {empty_folders:,}" if empty_folders else ""
        say(
            f"pictures {pictures:,} (without a face {empty:,}, skipped {skipped:,}), "
            f"faces {faces:,}{folders}"
        )
        if faces and sys.stdout.isatty() and sys.stderr.isatty():
            say(notice)
    return not (skipped or empty_folders)


def progress(results: Iterator[Result], total: int | None, out: Path | None) -> Iterator[Result]:
    """`results` with a progress bar if standard error is a terminal that shows nothing else."""
    if not sys.stderr.isatty() or (out is None and sys.stdout.isatty()):
        return results
    from tqdm import tqdm

    return iter(tqdm(results, total=total, delay=1, unit="picture"))


def say(text: str) -> None:
    """Print a line on standard error without breaking a progress bar."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def _make_folder(path: Path) -> None:
    """Make the folder of the drawings and test that files can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _not_writable("--draw", path, error) from None


@contextmanager
def _stream(path: Path | None) -> Iterator[TextIO]:
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
