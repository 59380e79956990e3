"""Larger archives and loose files out of one archive of pictures."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

from PIL import Image


def enlarge(source: Path, target: Path, times: int) -> None:
    """Write a zip with the pictures of `source` and `times - 1` distinct copies of each."""
    with zipfile.ZipFile(source) as few, zipfile.ZipFile(target, "w") as many:
        for info in few.infolist():
            if info.is_dir():
                continue
            data = few.read(info)
            many.writestr(info.filename, data)
            picture = Image.open(io.BytesIO(data)).convert("L")
            pixels = picture.tobytes()
            for number in range(1, times):
                name = PurePosixPath(info.filename).with_suffix(f".{number}.pgm")
                many.writestr(str(name), variant(picture.size, pixels, number))


def variant(size: tuple[int, int], pixels: bytes, number: int) -> bytes:
    """A PGM file of grey pixels (width * height), of which pixel `number` is inverted."""
    changed = bytearray(pixels)
    changed[number % len(changed)] ^= 255
    return b"P5 %d %d 255\n" % size + changed


def unpack(source: Path, target: Path) -> None:
    """Write every picture of a zip as a file of its own, as the notebook has them."""
    with zipfile.ZipFile(source) as packed:
        packed.extractall(target)
