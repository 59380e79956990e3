"""Some pictures of an archive by name, as squares of any side."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import ArchiveError, ImageError
from facial_expression.pictures.archive import members, read_members
from facial_expression.pictures.images import decode, square

Pictures = NDArray[np.uint8]


def read_squares(images: Path, paths: Sequence[str], side: int) -> Pictures:
    """The pictures at `paths` of images.zip as grey squares, uint8 (N, side, side), in their order.

    Smaller pictures are enlarged.  Errors are those of `located` and `decode_all`.
    """
    return decode_all(images, located(images, paths), side)


def located(images: Path, paths: Iterable[str]) -> list[tuple[str, int]]:
    """The members at `paths` with their places in the archive, in the order of `paths`.

    An ArchiveError if there is no such member: the archive is not the one that was indexed.
    """
    places = members(images)
    wanted = list(paths)
    if lacking := next((path for path in wanted if path not in places), None):
        raise ArchiveError(f"{images}: no member {lacking!r}; run the index stage again")
    return [(path, places[path]) for path in wanted]


def decode_all(images: Path, places: Sequence[tuple[str, int]], side: int) -> Pictures:
    """Grey squares uint8 (N, side, side) of some members, in their order.

    An ImageError if a picture cannot be decoded: the archive is not the one that was indexed.
    """
    out = np.empty((len(places), side, side), np.uint8)
    for i, (path, data) in enumerate(read_members(images, places)):
        try:
            out[i] = square(decode(data), side)
        except ImageError as error:
            raise ImageError(f"{images}: {path}: {error}; run the index stage again") from None
    return out
