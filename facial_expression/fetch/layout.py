"""The pictures of a source -> images.zip, the normalised archive, and people.csv."""

import csv
import io
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import ceil, floor
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from facial_expression.core.errors import ImageError
from facial_expression.core.files import write_zip
from facial_expression.core.processes import spread
from facial_expression.fetch.layouts import choose
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.fetch.rows import Box, Row
from facial_expression.fetch.unpack import Files, is_junk, opened, safe_path

CHUNK = 1 << 20  # bytes of pictures a task; one picture may have more
PASSED_OVER = {
    "HEIF": ".heic (install the extra heic, then dvc repro --force fetch)",
    "AVIF": ".avif (install a Pillow that reads it)",
    "archive": "packed (unpack them), e.g. {}",
    "foreign": "packed by RAR or 7-Zip or in parts (unpack them), e.g. {}",
    "unlabelled": "pictures without a label, e.g. {}",
    "": "not pictures, e.g. {}",
}

Named = list[tuple[str, Row]]
"""Rows with the names of their members, by name."""


class Normalised(NamedTuple):
    """What an archive was made of."""

    layout: str
    files: int  # pictures
    people: str  # the text of people.csv


def normalise(
    sources: Mapping[str, Path],
    out: Path,
    params: FetchParameters,
    workers: int = 1,
    scheduler: str = "",
) -> Normalised:
    """Write the pictures of all `sources` to `out` as one normalised archive.

    The same pictures give the same bytes, however they are packed, wrapped in folders and ordered.
    A picture with a box is cut out and encoded as PNG; the bytes of others stay.  One line on
    stderr says what is passed over.  Temporary files lie beside `out`.

    Args:
        sources: what messages call each, and where it is.
        out: the file.
        params: section `fetch`.
        workers: processes that cut out pictures, if any have a box.
        scheduler: of Dask, whose workers do it instead (`core.processes.spread`); empty: none.

    Raises:
        ArchiveError: a source is empty, corrupt or dangerous, or they are not one set that is laid
            out in a known way.
    """
    with opened(sources, params, out.parent) as files:
        layout, reader = choose(files)
        found: list[Row] = []
        try:
            found = reader.read(files)
        finally:
            _passed_over(files, {} if layout == "folders" else {row.file.path for row in found})
        if not found:
            remedy = "add some, or correct fetch.layout"
            raise files.fault(f"pictures of the layout {layout}", "none", remedy)
        rows = _named(found, files)
        people = _people(rows, files)
        found.clear()  # a million pictures take a gigabyte, so each is freed when it is written
        files.pictures.clear()
        rows.reverse()
        if not any(row.box for _, row in rows):  # only copied
            workers, scheduler = 1, ""
        made = _contents(rows, files, workers, scheduler)
        return Normalised(layout, write_zip(out, made), people)


def _contents(
    rows: Named, files: Files, workers: int, scheduler: str
) -> Iterator[tuple[str, bytes]]:
    """Yield the members of the archive, from the last row to the first; `rows` is empty then."""
    at_work = deque[Named]()

    def chunks() -> Iterator[list[tuple[bytes, Box | None]]]:
        while rows:
            taken, pictures, held = Named(), list[tuple[bytes, Box | None]](), 0
            while rows and held < CHUNK:
                taken.append(rows.pop())
                row = taken[-1][1]
                pictures.append((files.content(row.file), row.box))
                held += row.file.size
            at_work.append(taken)
            yield pictures

    total = len(rows)
    with tqdm(None, "fetch", total, unit=" pictures", leave=False, disable=None) as bar:
        for done in spread(_cut_out, chunks(), workers, scheduler):
            for (name, row), data in zip(at_work.popleft(), done, strict=True):
                if data is None:
                    what, remedy = "a box in the picture", "correct its label"
                    raise files.fault(what, row.box, remedy, row.file.path)
                yield name, data
                bar.update()


def _cut_out(pictures: Sequence[tuple[bytes, Box | None]]) -> list[bytes | None]:
    """The part of each picture in its box, as PNG; None where the box is not in the picture.

    Pictures without a box, and those that cannot be decoded, which stage index tells, stay.
    """
    return [data if box is None else _part(data, box) for data, box in pictures]


def _part(data: bytes, box: Box) -> bytes | None:
    from facial_expression.pictures.images import decode  # NumPy and Pillow take a while

    try:
        picture = decode(data).upright
    except ImageError:
        return data
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[2], picture.width), min(box[3], picture.height)
    if not (left < right and top < bottom):
        return None
    stream = io.BytesIO()
    picture.crop((floor(left), floor(top), ceil(right), ceil(bottom))).save(stream, "PNG")
    return stream.getvalue()


def _passed_over(files: Files, labelled: Collection[str]) -> None:
    """Print one line about the files that are neither read nor hidden."""
    found = dict(files.others)
    others = found.get("", []) + found.get("table", [])
    found[""] = [file for file in others if file.path not in files.used]
    if labelled:
        found["unlabelled"] = [file for file in files.pictures if file.path not in labelled]
    found = {kind: found[kind] for kind in PASSED_OVER if found.get(kind)}
    parts = [
        f"{len(of)} {PASSED_OVER[kind].format(min(file.path for file in of))}"
        for kind, of in found.items()
    ]
    if parts:
        count = sum(map(len, found.values()))
        noun = "file" if count == 1 else "files"
        files.note(f"{count} {noun} passed over: {', '.join(parts)}")


def _named(rows: list[Row], files: Files) -> Named:
    """The rows with names of members, by name, and classes as `fetch.classes` calls them.

    Raises:
        ArchiveError: a class cannot be the name of a folder, names or classes would be one on a
            disk that ignores case, or `classes` names a class that is not there.
    """
    classes, labels = files.params.classes, {row.label for row in rows}
    if unknown := sorted(set(classes) - labels):
        what = f"fetch.classes to name some of {', '.join(sorted(labels))[:200]}"
        raise files.fault(what, repr(unknown[0]), "correct it")
    names = {label: classes.get(label, label) for label in labels}
    for name in names.values():
        if not name or "/" in name or is_junk(name) or safe_path(name, files.where) != name:
            what, remedy = "a class that can be the name of a folder", "name it by fetch.classes"
            raise files.fault(what, repr(name), remedy)
    _refuse_alike(((name, repr(name)) for name in sorted(set(names.values()))), files)
    named = []
    for row in rows:
        name = Path(row.name).with_suffix(".png").name if row.box else row.name
        named.append((f"{row.split}/{names[row.label]}/{name}", row))
    named.sort(key=itemgetter(0))
    _refuse_alike(((name, row.file) for name, row in named), files)
    return named


def _refuse_alike(names: Iterable[tuple[str, object]], files: Files) -> None:
    """Refuse names, each with what has it, that would be one on a disk that ignores case."""
    known: dict[str, object] = {}
    for name, owner in names:
        if name.casefold() in known:
            both = " and ".join(sorted([str(known[name.casefold()]), str(owner)]))
            raise files.fault("distinct names", both, "rename one, or leave it out")
        known[name.casefold()] = owner


def _people(rows: Named, files: Files) -> str:
    """The text of people.csv: groups and attributes of the pictures that have some."""
    groups = {row.group for _, row in rows}
    if len(groups) == 1 and groups != {""}:
        files.note(f"all pictures are of {groups.pop()!r}, so no group is kept")
        rows = [(name, row._replace(group="")) for name, row in rows]
    about = [(name, row) for name, row in rows if row.group or row.facts]
    columns = dict.fromkeys(["path", "group", *(name for _, row in about for name in row.facts)])
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row.facts, "path": name, "group": row.group} for name, row in about)
    return stream.getvalue()
