"""The one definition of "picture file -> upright picture -> grey square", for training and serving.

The rule, in order:

1. the first frame is decoded and turned upright by its EXIF orientation;
2. transparency is laid over white, as viewers show it;
3. 16-bit grey keeps its high byte; every colour mode becomes RGB, and RGB becomes luma where grey
   is wanted (ITU-R 601, Pillow's mode "L");
4. the largest centred square is cut out and resampled to `side` with Pillow's Lanczos filter
   (antialiased when it shrinks).  A picture that already has the size is left untouched.
"""

import ctypes
import hashlib
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import RLock, local

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, features

from facial_expression.core.errors import ImageError, reason
from facial_expression.pictures.archive import SUFFIXES

MAX_PIXELS = 100_000_000
"""A larger picture is refused before its pixels are allocated (a decompression bomb)."""

MAX_PIXELS_OF = {"TIFF": 80_000_000, "WEBP": 60_000_000, "JPEG": 178_000_000}
"""The same for formats whose decoder takes more memory, so that no picture takes more than about
1 GB; and for JPEG, of which more than `MAX_PIXELS` are decoded at half the width and height.
Pillow opens no more than 178 million."""

FORMATS = (
    *("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"),
    *(("AVIF",) if features.check("avif") else ()),
    *(("HEIF",) if find_spec("pillow_heif") else ()),  # the extra heic
)
"""Pillow's names of the formats that are read; others may start programs (EPS: Ghostscript)."""

HEAD = 32
"""Bytes at the start of a file that tell its format."""
MAGIC = {
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0{3}",  # the size of the second header
    "GIF": rb"GIF8[79]a",
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "PPM": rb"P[1-6](\s+\d|\s*#)",
    "TIFF": rb"(II|MM)(\0[*+]|[*+]\0)",
    "WEBP": rb"RIFF.{4}WEBP",
    "AVIF": rb".{4}ftyp(avi[fs]|m[is]f1.*avi[fs])",
    "HEIF": rb".{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)",  # an iPhone's .heic
}

_KIND = re.compile(b"|".join(b"(?P<%s>%s)" % (k.encode(), m) for k, m in MAGIC.items()), re.DOTALL)

MAX_SCANS = 100
"""Of a JPEG; progressive ones have some 10, and each costs a walk over the whole picture."""

LARGE = 16_000_000  # pixels of the pictures of which threads have only one at a time
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")

STRIP = 256  # rows that are converted at once; several large copies would take too much memory
BROKEN_FILE = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, OverflowError,
    RuntimeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow's decoders raise on broken files."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture before it is made square."""

    upright: Image.Image  # of mode "RGB", or "L" where the file is grey
    mode: str  # Pillow's name of the mode of the file
    reduced_from: tuple[int, int] | None = None  # size in the file, upright, of a very large JPEG

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture in the file."""
        return self.reduced_from or self.upright.size

    @cached_property
    def grey(self) -> Image.Image:
        """Pillow image of mode "L", to predict on."""
        return self.upright if self.upright.mode == "L" else self.upright.convert("L")

    @property
    def rgb(self) -> Image.Image:
        """Pillow image of mode "RGB", to find faces and to show; do not change it."""
        return self.upright if self.upright.mode == "RGB" else self.upright.convert("RGB")

    @property
    def fingerprint(self) -> str:
        """The sha256 of size and pixels: equal for files that decode to the same grey picture."""
        return fingerprint(self.grey.size, self.grey.tobytes())


def fingerprint(size: tuple[int, int], levels: bytes) -> str:
    """`Picture.fingerprint` of a grey picture whose bytes are there already."""
    digest = hashlib.sha256(struct.pack("<II", *size))
    digest.update(levels)
    return digest.hexdigest()


def format_of(head: bytes) -> str:
    """Which key of `MAGIC` a file is that begins with `head` (`HEAD` bytes), "" if none.

    >>> format_of(b"GIF89a...")
    'GIF'
    """
    found = _KIND.match(head)
    return (found.lastgroup or "") if found else ""


def is_picture_file(path: Path) -> bool:
    """Whether the suffix of a file or its first bytes are those of a picture."""
    if path.name.lower().endswith(SUFFIXES):
        return True
    with path.open("rb") as stream:
        return format_of(stream.read(HEAD)) in FORMATS


def decode(data: bytes) -> Picture:
    """Decode a picture file of one of `FORMATS`, of any mode that Pillow reads.

    Raises:
        ImageError: the bytes are not a picture, are damaged, or claim more pixels than allowed.
    """
    kind = format_of(data[:HEAD])
    if kind not in FORMATS:
        raise ImageError(
            "a HEIC picture; install the extra heic"
            if kind == "HEIF"
            else "not a picture of a known format"
        )
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large sizes and odd metadata
            image = Image.open(io.BytesIO(data), formats=[kind])
            width, height = image.size
            most = (
                MAX_PIXELS if "progressive" in image.info else MAX_PIXELS_OF.get(kind, MAX_PIXELS)
            )
            if width * height > most:
                raise ImageError(f"{width}x{height} pixels, at most {most} allowed in {kind}")
            if kind == "JPEG" and (scans := _scans(data)) > MAX_SCANS:
                raise ImageError(f"{scans} scans, at most {MAX_SCANS} allowed in JPEG")
            if width * height > MAX_PIXELS:
                image.draft(None, (width // 2, height // 2))
            pixels = image.width * image.height
            # a block takes a tenth of the time of a small picture, and only large ones need it
            with in_turn() if pixels > LARGE else nullcontext():
                wait_for_turn(pixels)
                upright = _plain(image)
                if kind == "WEBP" and upright is image:
                    upright = image.copy()  # the file's decoder holds it twice more
        if width * height <= MAX_PIXELS:
            return Picture(upright, image.mode)
        size = (width, height) if upright.size == image.size else (height, width)
        return Picture(upright, image.mode, size)
    except BROKEN_FILE as error:
        if isinstance(error, UnidentifiedImageError):
            raise ImageError(f"not a picture, though it begins like {kind}") from None
        raise ImageError(reason(error)) from None


class _Turn(local):
    """The end of a thread's block of `in_turn`."""

    end: ExitStack | None = None


_TURN, _LARGE = _Turn(), RLock()


@contextmanager
def in_turn() -> Iterator[None]:
    """A block that decodes pictures and uses them; bounds the memory of several threads.

    From the first large picture on that it decodes, blocks of other threads wait before theirs.
    A block in a block is part of it.
    """
    if _TURN.end:
        yield
        return
    with ExitStack() as end:
        _TURN.end = end
        try:
            yield
        finally:
            _TURN.end = None


def wait_for_turn(pixels: int) -> None:
    """Before so many pixels are decoded: wait while another thread's block has a large picture."""
    if pixels > LARGE and _TURN.end:
        _give_back_memory()
        _TURN.end.enter_context(_LARGE)


@cache
def _give_back_memory() -> None:
    """Make glibc return what large pictures took; otherwise each thread keeps much of it."""
    with suppress(AttributeError, OSError, TypeError):  # another system
        ctypes.CDLL(None).mallopt(-3, 8 << 20)  # M_MMAP_THRESHOLD: Pillow's blocks have 16 MB


def from_image(image: Image.Image) -> Picture:
    """A Pillow image of any mode as `decode` would give it.

    Raises:
        ImageError: its file is damaged, or its pixels have no agreed range.
    """
    try:
        return Picture(_plain(image), image.mode)
    except BROKEN_FILE as error:
        raise ImageError(reason(error)) from None


def square(picture: Picture, side: int) -> NDArray[np.uint8]:
    """The largest centred square of a picture, as uint8 (side, side)."""
    image = picture.grey
    if image.size != (side, side):
        edge = min(image.size)
        left, top = (image.width - edge) // 2, (image.height - edge) // 2
        box = (left, top, left + edge, top + edge)
        image = image.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return np.asarray(image)


def _scans(data: bytes) -> int:
    """The number of scans of a JPEG file, or more if that is few anyway."""
    if (most := data.count(b"\xff\xda")) <= MAX_SCANS:
        return most
    at = scans = 0
    while (marker := _MARKER.search(data, at)) and marker[1] != b"\xd9":  # the end
        scans += marker[1] == b"\xda"
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return scans


def _plain(image: Image.Image) -> Image.Image:
    """Upright and opaque, of mode "L" or "RGB"."""
    if image.mode == "F":
        raise ImageError("floating-point pixels have no agreed range; save it with 8 or 16 bits")
    image.load()  # the first frame, whole: a truncated file fails here
    if image.getexif():
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, of either byte order
        high = np.empty((image.height, image.width), np.uint8)
        for top in range(0, image.height, STRIP):
            rows = np.asarray(image.crop((0, top, image.width, min(top + STRIP, image.height))))
            high[top : top + STRIP] = np.clip(rows, 0, 65535) >> 8
        return Image.fromarray(high)
    if not image.has_transparency_data:
        return image if image.mode in ("L", "RGB") else image.convert("RGB")
    opaque = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP):
        part = image.crop((0, top, image.width, min(top + STRIP, image.height))).convert("RGBA")
        white = Image.new("RGBA", part.size, "white")
        opaque.paste(Image.alpha_composite(white, part).convert("RGB"), (0, top))
    return opaque
