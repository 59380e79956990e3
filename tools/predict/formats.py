"""Results as text: a table for people, CSV, or JSON lines.

A format is a function of the class names.  It returns the header and a function from one result to
its lines, so that results can be written as they come.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facial_expression.core.files import DECIMALS, rounded
from facial_expression.inference.pipeline import Face, Result

Lines = Callable[[Result], str]
"""A result -> its lines, each with its line feed; empty if it has none."""

Format = Callable[[Sequence[str]], tuple[str, Lines]]
"""Class names -> header, lines."""

BOX = ("left", "top", "width", "height")


def as_table(classes: Sequence[str], columns: int | None = None) -> tuple[str, Lines]:
    """Aligned columns, one line per face, the path last; probabilities in percent.

    If that is too wide for a terminal of so many columns, boxes are left out, and the path stands
    above the faces of its picture.
    """
    widths = [max(len(name), 5) for name in classes]
    label = max(map(len, [*classes, "label"]))
    names = "".join(f"{name:>{width + 2}}" for name, width in zip(classes, widths, strict=True))
    box = "".join(f"{name:>7}" for name in BOX)
    short = f"{'label':<{label}}{names}  entropy"
    head = f"{short}{box}  frame  seconds  path\n"
    narrow = columns is not None and columns < len(head)

    def lines(result: Result) -> str:
        frame = "-" if result.frame is None else str(result.frame)
        seconds = "-" if result.seconds is None else f"{result.seconds:.2f}"
        if narrow and result.faces:
            above = printable(result.path)
            if result.frame is not None:
                above += f", frame {frame}, {seconds} s"
            return "\n".join([above, *map(row, result.faces), ""])
        end = f"{frame:>5}{seconds:>9}  {printable(result.path)}\n"
        return "".join(f"{row(face)}  {end}" for face in result.faces)

    def row(face: Face) -> str:
        shares = zip(face.probabilities, widths, strict=True)
        percent = "".join(f"{100 * share:{width + 2}.1f}" for share, width in shares)
        places = "" if narrow else "".join(f"{round(side):7}" for side in face.box)
        return f"{face.label:<{label}}{percent}{face.entropy:9.3f}{places}"

    return f"{short}\n" if narrow else head, lines


def as_csv(classes: Sequence[str]) -> tuple[str, Lines]:
    """One line per face."""
    columns = ("path", "frame", "seconds", *BOX, "score", "label", *classes, "entropy")

    def lines(result: Result) -> str:
        return "".join(_csv_line(_fields(result, face)) for face in result.faces)

    return _csv_line(columns), lines


def as_jsonl(classes: Sequence[str]) -> tuple[str, Lines]:
    """One object per picture, with `faces` (a list, perhaps empty) or `error`."""

    def lines(result: Result) -> str:
        return json.dumps(_object(result), ensure_ascii=False, allow_nan=False) + "\n"

    return "", lines


FORMATS: Mapping[str, Format] = {"table": as_table, "jsonl": as_jsonl, "csv": as_csv}


def notice(facts: Mapping[str, str]) -> str:
    """What the labels are, in a line for people; --help says more.

    Args:
        facts: `Network.facts`.
    """
    accuracy = facts.get("accuracy", "unknown")
    rounding = "; rounded to eight bits" if "int8" in facts else ""
    return (
        f"Apparent expressions, not emotions; accuracy {accuracy}{rounding}; terms of use: --help"
    )


def printable(path: str) -> str:
    """The path with unprintable characters escaped: one line that cannot control a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in _utf8(path)
    )


def _utf8(path: str) -> str:
    """The path as text that can be encoded as UTF-8; other bytes of its name are escaped."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _fields(result: Result, face: Face) -> list[str]:
    box = [*face.box, face.box.score]
    values = [*box, *face.probabilities, face.entropy]
    numbers = [f"{value:z.{DECIMALS}f}" for value in values]  # z: no negative zero
    frame = "" if result.frame is None else str(result.frame)
    time = "" if result.seconds is None else f"{result.seconds:.{DECIMALS}f}"
    about = [_utf8(result.path), frame, time]
    return [*about, *numbers[: len(box)], face.label, *numbers[len(box) :]]


def _csv_line(row: Sequence[str]) -> str:
    stream = io.StringIO()
    # the writer quotes fields that contain a character of its line end: "\r" must be one of them
    csv.writer(stream, lineterminator="\r\n").writerow(row)
    return stream.getvalue().removesuffix("\r\n") + "\n"


def _object(result: Result) -> dict[str, Any]:
    seconds = None if result.seconds is None else round(result.seconds, DECIMALS)
    about = {"path": _utf8(result.path), "frame": result.frame, "seconds": seconds}
    if result.error:
        return {**about, "error": result.error}
    width, height = result.size
    faces = [_face(face) for face in result.faces]
    return {**about, "width": width, "height": height, "faces": faces}


def _face(face: Face) -> dict[str, Any]:
    found: dict[str, Any] = rounded(
        {
            "box": dict(zip(BOX, map(float, face.box), strict=True)),
            "score": float(face.box.score),
            "label": face.label,
            "probabilities": face.expressions,
            "entropy": face.entropy,
        }
    )
    return found
