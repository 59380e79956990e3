"""The challenge's fer2013.csv (Goodfellow et al. 2013) -> the folder copy's layout, lossless."""

import io
from collections.abc import Iterator
from typing import IO

from facial_expression.core.errors import ArchiveError
from facial_expression.core.labels import FER2013_IDS
from facial_expression.fetch.rows import Row, lines, only
from facial_expression.fetch.unpack import File, Files, columns_of

COLUMNS = {"emotion", "pixels"}  # and Usage, without which all rows are Training
SPLITS = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
CLASSES = {str(number): name for number, name in enumerate(FER2013_IDS)}
LEVELS = {str(level): level for level in range(256)}
HEADER, PIXELS = b"P5\n48 48\n255\n", 48 * 48  # a binary grey map: the pixels as they are
SIZE, REMEDY = len(HEADER) + PIXELS, "get a whole fer2013.csv"


def recognises(files: Files) -> bool:
    """Whether there is such a table, and no picture."""
    return not files.pictures and bool(_tables(files))


def read(files: Files) -> list[Row]:
    """The rows of the only table, as files on the disk: they come unsorted."""
    table = only(files, "fer2013.csv", _tables(files))
    kept, rows = files.stack.enter_context((files.scratch / "rows").open("xb+")), list[Row]()

    def opener(place: int) -> IO[bytes]:
        kept.seek(place)
        return io.BytesIO(kept.read(SIZE))

    with files.stream(table) as stream:
        for path, content in pictures(stream, files.where):
            split, label, name = files.admit(path, files.where).split("/")
            rows.append(Row(split, label, name, File(path, SIZE, kept.tell(), opener)))
            kept.write(content)
    return rows


def _tables(files: Files) -> list[File]:
    """Those that say which split a row is in; if there is none, others."""
    part = (file for file in files.other(".csv") if columns_of(files.head(file)) >= COLUMNS)
    return files.others["table"] or list(part)


def pictures(stream: IO[bytes], where: str) -> Iterator[tuple[str, bytes]]:
    """Yield (`<split>/<class>/<Usage>_<row>.pgm`, bytes of that file) for each row, from row 0."""
    for row, (place, cells) in enumerate(lines(stream, COLUMNS, where)):
        try:
            usage = cells.get("usage", "Training")
            content = HEADER + bytes(map(LEVELS.__getitem__, cells["pixels"].split()))
            path = f"{SPLITS[usage]}/{CLASSES[cells['emotion']]}/{usage}_{row}.pgm"
        except KeyError as error:
            what = f"an emotion 0..6, pixels 0..255 and a Usage of {', '.join(SPLITS)}"
            raise ArchiveError.expected(place, what, repr(error.args[0][:20]), REMEDY) from None
        if (count := len(content) - len(HEADER)) != PIXELS:
            raise ArchiveError.expected(place, f"{PIXELS} pixels", count, REMEDY)
        yield path, content
