"""Some pictures of an archive by name, as squares: what a sheet for a person's review shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facial_expression.dataset.archive import members, read_members
from facial_expression.dataset.images import decode, square
from facial_expression.errors import ArchiveError


def read_squares(images: Path, paths: Iterable[str], side: int) -> dict[str, NDArray[np.uint8]]:
    """The pictures at `paths` as grey squares, uint8 (side, side), by path.

    Args:
        images: images.zip.
        paths: its members, in any order, repeated or not.
        side: pixels; smaller pictures are enlarged.

    Raises:
        ArchiveError: there is no such member.
        ImageError: a picture cannot be decoded.
    """
    wanted = sorted(set(paths))
    places = members(images)
    if lacking := next((path for path in wanted if path not in places), None):
        raise ArchiveError(f"{images}: no member {lacking!r}; run the index stage again")
    chosen = ((path, places[path]) for path in wanted)
    return {path: square(decode(data), side) for path, data in read_members(images, chosen)}
