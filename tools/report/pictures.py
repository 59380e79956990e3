"""A figure's file -> an address that holds it."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from facial_expression.core.errors import DatasetError

WIDEST = 1200  # pixels; stage plot draws 840 at 120 dots an inch


@dataclass(frozen=True)
class Picture:
    """A picture to show: `address` is a data: URI; width and height are pixels."""

    address: str
    width: int
    height: int


def embed(path: Path) -> Picture:
    """The picture without loss as WebP, half of its PNG; shrunk where it is wider than `WIDEST`.

    Raises:
        DatasetError: the file is no picture.
    """
    try:
        with Image.open(path) as image:
            shown = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected a PNG: {error}; run the plot stage") from None
    paper = Image.new("RGBA", shown.size, "white")
    flat = Image.alpha_composite(paper, shown).convert("RGB")
    if flat.width > WIDEST:
        flat = flat.resize(
            (WIDEST, round(flat.height * WIDEST / flat.width)), Image.Resampling.LANCZOS
        )
    stream = io.BytesIO()
    flat.save(stream, "WEBP", lossless=True, method=4)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{text}", *flat.size)
