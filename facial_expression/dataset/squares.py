"""Some pictures of an archive by name, as squares of any side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facial_expression.dataset.archive import members, read_members
from facial_expression.dataset.images import decode, square
from facial_expression.errors import ArchiveError

Pictures = NDArray[np.uint8]

CHUNK = 2048  # pictures a task


def read_squares(images: Path, paths: Sequence[str], side: int, workers: int) -> Pictures:
    """The pictures at `paths` as grey squares, uint8 (N, side, side), in their order.

    Args:
        images: images.zip.
        paths: names of its members.
        side: pixels; smaller pictures are enlarged.
        workers: processes.

    Raises:
        ArchiveError: there is no such member.
        ImageError: a picture cannot be decoded.
    """
    places = members(images)
    if lacking := next((path for path in paths if path not in places), None):
        raise ArchiveError(f"{images}: no member {lacking!r}; run the index stage again")
    wanted = [(path, places[path]) for path in paths]
    chunks = [wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK)]
    work = partial(_read_chunk, images, side)
    if workers == 1 or len(chunks) <= 1:
        parts = list(map(work, chunks))
    else:
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(work, chunks))
    return np.concatenate([np.zeros((0, side, side), np.uint8), *parts])


def _read_chunk(images: Path, side: int, places: Sequence[tuple[str, int]]) -> Pictures:
    pictures = [square(decode(data), side) for _, data in read_members(images, places)]
    return np.stack(pictures)
