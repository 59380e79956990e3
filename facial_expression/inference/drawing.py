"""Boxes and labels on a picture, readable on light and dark and at any size.  Pillow alone."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from facial_expression.inference.boxes import Box
from facial_expression.inference.pipeline import Face, Seen

SMALLEST = 320
"""Pixels of the longer side that a drawing has at least: a label does not fit on 48."""

LINE, LETTER = 1 / 300, 1 / 36
"""Width of a line and height of letters, over the mean side of the picture."""

WIDEST, LEAST = 2.6, 11
"""Width of a label over its box's, roughly, and the least height of its letters in pixels."""

DARK, LIGHT = "#111111", "#ffd400"
QUALITY = 92


def draw(rgb: Image.Image, faces: Sequence[Face], classes: Sequence[str]) -> Image.Image:
    """A copy of an upright picture with a box, the label and its probability on each face.

    Small pictures are enlarged by a whole number first.
    """
    factor = max(1, -(-SMALLEST // max(rgb.size)))
    drawn = rgb.resize((rgb.width * factor, rgb.height * factor), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(drawn)
    side = sqrt(drawn.width * drawn.height)
    for face in reversed(faces):  # the surest on top
        box = _scaled(face.box, factor)
        line = _line(box, side)
        pen.rectangle(_grown(box, line), outline=DARK, width=3 * line)
        pen.rectangle(box, outline=LIGHT, width=line)
    for face in reversed(faces):
        text = f"{classes[face.best]} {100 * face.probabilities[face.best]:.0f} %"
        _write(pen, text, _scaled(face.box, factor), side)
    return drawn


def name_of(number: int, seen: Seen) -> str:
    """A file name for the drawing of the `number`-th input: no two alike, none a path.

    >>> name_of(7, Seen("../holiday/a b.png", None))
    '000007-a_b.jpg'
    >>> name_of(8, Seen("clip.mp4", 25))
    '000008-clip-frame-000025.jpg'
    """
    stem = re.sub(r"[^\w.-]+", "_", Path(seen.path).stem, flags=re.ASCII)[:80]
    frame = "" if seen.frame is None else f"-frame-{seen.frame:06d}"
    return f"{number:06d}-{stem}{frame}.jpg"


def jpeg(picture: Image.Image) -> bytes:
    """The picture as the bytes of a JPEG file without metadata."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


Corners = tuple[float, float, float, float]


def _scaled(box: Box, factor: int) -> Corners:
    right, bottom = box.left + box.width, box.top + box.height
    return box.left * factor, box.top * factor, right * factor - 1, bottom * factor - 1


def _grown(corners: Corners, by: float) -> Corners:
    left, top, right, bottom = corners
    return left - by, top - by, right + by, bottom + by


def _line(box: Corners, side: float) -> int:
    return max(1, round(min(side * LINE, (box[2] - box[0]) / 40)))


def _write(pen: ImageDraw.ImageDraw, text: str, box: Corners, side: float) -> None:
    """Write above the box, or where there is no room below or in it, on a ground of its own.

    Beside a small face the letters are small as well, so that a crowd keeps its faces.
    """
    width, height = pen.im.size
    line = _line(box, side)
    letters = min(side * LETTER, WIDEST * (box[2] - box[0]) / len(text))
    font = ImageFont.load_default(max(letters, LEAST))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    wide, high = right - left + 4 * line, bottom - top + 4 * line
    x = min(max(box[0] - line, 0), max(width - wide, 0))
    y = box[1] - line - high
    if y < 0:
        y = box[3] + line if box[3] + line + high <= height else max(box[1], 0)
    pen.rectangle((x, y, x + wide, y + high), fill=DARK)
    pen.text((x + 2 * line - left, y + 2 * line - top), text, fill=LIGHT, font=font)
