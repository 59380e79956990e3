"""Draw boxes and labels on a picture, readable on light and dark ground and at any size."""

import io
import re
from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from facial_expression.inference.boxes import Box
from facial_expression.inference.pipeline import Face, Result

SMALLEST = 320
"""Smaller pictures are enlarged to at least this longer side, in pixels, to fit a label."""

LINE, LETTER = 1 / 300, 1 / 36
"""Line width and letter height, as shares of the picture's geometric mean side."""

WIDEST, LEAST = 2.6, 11
"""Largest width of a label, in widths of its box (roughly); smallest letter height in pixels."""

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]+')
"""What a file system may not hold in a name (NTFS), and what controls a terminal."""

LONGEST = 200
"""Bytes of an input's name in that of its drawing; file systems allow 255 for the whole."""

DARK, LIGHT = "#111111", "#ffd400"
QUALITY = 92


def draw(rgb: Image.Image, size: tuple[int, int], faces: Sequence[Face]) -> Image.Image:
    """A copy of an upright picture with box, label and probability of each face.

    Small pictures are first enlarged by a whole factor.  Boxes are pixels of a picture of `size`.
    """
    times = max(1, -(-SMALLEST // max(rgb.size)))
    drawn = rgb.resize((rgb.width * times, rgb.height * times), Image.Resampling.NEAREST)
    factor = drawn.width / size[0]
    pen = ImageDraw.Draw(drawn)
    side = sqrt(drawn.width * drawn.height)
    by_score = sorted(faces, key=lambda face: face.box.score)  # the highest on top
    for face in by_score:
        box = _scaled(face.box, factor)
        line = _line(box, side)
        pen.rectangle(_grown(box, line), outline=DARK, width=3 * line)
        pen.rectangle(box, outline=LIGHT, width=line)
    for face in by_score:
        text = f"{face.label} {100 * face.probabilities.max():.0f} %"
        _write(pen, text, _scaled(face.box, factor), side)
    return drawn


def file_name(number: int, result: Result) -> str:
    """A file name for the drawing of the `number`-th input: unique, without folders.

    >>> file_name(7, Result("../holiday/Höpper: a b.png", None))
    '000007-Höpper_ a b.jpg'
    >>> file_name(8, Result("clip.mp4", 25))
    '000008-clip-frame-000025.jpg'
    """
    stem = FORBIDDEN.sub("_", Path(result.path).stem).encode()[:LONGEST].decode(errors="ignore")
    frame = "" if result.frame is None else f"-frame-{result.frame:06d}"
    return f"{number:06d}-{stem}{frame}.jpg"


def jpeg(picture: Image.Image) -> bytes:
    """The picture as the bytes of a JPEG file without metadata."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


Corners = tuple[int, int, int, int]


def _scaled(box: Box, factor: float) -> Corners:
    left, top = round(box.left * factor), round(box.top * factor)
    right, bottom = (box.left + box.width) * factor, (box.top + box.height) * factor
    return left, top, max(round(right) - 1, left), max(round(bottom) - 1, top)


def _grown(corners: Corners, by: int) -> Corners:
    left, top, right, bottom = corners
    return left - by, top - by, right + by, bottom + by


def _line(box: Corners, side: float) -> int:
    return max(1, round(min(side * LINE, (box[2] - box[0]) / 40)))


def _write(pen: ImageDraw.ImageDraw, text: str, box: Corners, side: float) -> None:
    """Write the label on a dark ground above the box; without room there, below or inside it.

    Labels of small faces are small, so that they do not cover other faces.
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
