"""What was seen, as text: a table for people, CSV, or JSON lines.

Each is a function of the class names that gives the head (or nothing) and a function from one
picture to its lines, so that a stream of pictures becomes a stream of text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facial_expression.core.files import cell, rounded
from facial_expression.inference.pipeline import Face, Seen

Lines = Callable[[Seen], str]
"""A picture -> its lines, each with its line feed; none where there is nothing to say."""

Format = Callable[[Sequence[str]], tuple[str, Lines]]
"""Class names -> head, lines."""

BOX = ("left", "top", "width", "height")


def as_table(classes: Sequence[str]) -> tuple[str, Lines]:
    """Aligned columns, one line a face, the path last; probabilities in percent."""
    widths = [max(len(name), 5) for name in classes]
    label = max(map(len, [*classes, "label"]))
    names = "".join(f"{name:>{width + 2}}" for name, width in zip(classes, widths, strict=True))
    box = "".join(f"{name:>7}" for name in BOX)
    head = f"{'label':<{label}}{names}  entropy{box}  frame  path\n"

    def lines(seen: Seen) -> str:
        frame = "-" if seen.frame is None else str(seen.frame)
        end = f"{frame:>5}  {printable(seen.path)}\n"
        return "".join(f"{row(face)}  {end}" for face in seen.faces)

    def row(face: Face) -> str:
        shares = zip(face.probabilities, widths, strict=True)
        percent = "".join(f"{100 * share:{width + 2}.1f}" for share, width in shares)
        places = "".join(f"{round(getattr(face.box, name)):7}" for name in BOX)
        return f"{classes[face.best]:<{label}}{percent}{face.entropy:9.3f}{places}"

    return head, lines


def as_csv(classes: Sequence[str]) -> tuple[str, Lines]:
    """One line a face, none for a picture without one."""
    columns = ("path", "frame", *BOX, "score", "label", *classes, "entropy")

    def lines(seen: Seen) -> str:
        return _csv([_fields(seen, face, classes) for face in seen.faces])

    return _csv([columns]), lines


def as_jsonl(classes: Sequence[str]) -> tuple[str, Lines]:
    """One object a picture: with `faces`, empty where there is none, or with `error`."""

    def lines(seen: Seen) -> str:
        return json.dumps(_object(seen, classes), ensure_ascii=False, allow_nan=False) + "\n"

    return "", lines


FORMATS: Mapping[str, Format] = {"table": as_table, "jsonl": as_jsonl, "csv": as_csv}


def about(name: str, facts: Mapping[str, str]) -> str:
    """Which network speaks, what it measures and under which terms, in a line.

    Args:
        name: of the file.
        facts: `Network.facts`.
    """
    recipe, dataset, accuracy, terms = (
        facts.get(key, "unknown") for key in ("recipe", "dataset", "accuracy", "terms")
    )
    rounding = f"; rounded to int8: {facts['int8']}" if "int8" in facts else ""
    return (
        f"{name} (recipe {recipe}, trained on {dataset}, accuracy {accuracy}{rounding}) names "
        f"apparent expressions as labelled by strangers, not emotions. Terms: {terms}"
    )


def printable(path: str) -> str:
    """A path in one line that cannot steer a terminal: what is not printable is escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in _utf8(path)
    )


def _utf8(path: str) -> str:
    """A path that can be written as UTF-8, whatever bytes its file system holds."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _fields(seen: Seen, face: Face, classes: Sequence[str]) -> list[str]:
    box = [*(getattr(face.box, name) for name in BOX), face.box.score]
    numbers = [cell(float(value)) for value in [*box, *face.probabilities, face.entropy]]
    frame = "" if seen.frame is None else str(seen.frame)
    label = classes[face.best]
    return [_utf8(seen.path), frame, *numbers[: len(box)], label, *numbers[len(box) :]]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    return "".join(map(_csv_line, rows))


def _csv_line(row: Sequence[str]) -> str:
    stream = io.StringIO()
    # a field is quoted where it holds a letter of the line end: "\r" must be one of them
    csv.writer(stream, lineterminator="\r\n").writerow(row)
    return stream.getvalue().removesuffix("\r\n") + "\n"


def _object(seen: Seen, classes: Sequence[str]) -> dict[str, Any]:
    about = {"path": _utf8(seen.path), "frame": seen.frame}
    if seen.error:
        return {**about, "error": seen.error}
    width, height = seen.size
    return {
        **about,
        "width": width,
        "height": height,
        "faces": [_face(face, classes) for face in seen.faces],
    }


def _face(face: Face, classes: Sequence[str]) -> dict[str, Any]:
    shares = map(float, face.probabilities)
    found: dict[str, Any] = rounded(
        {
            "box": {name: float(getattr(face.box, name)) for name in BOX},
            "score": float(face.box.score),
            "label": classes[face.best],
            "probabilities": dict(zip(classes, shares, strict=True)),
            "entropy": face.entropy,
        }
    )
    return found
