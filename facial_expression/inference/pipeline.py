"""Pictures -> faces -> probabilities, in batches across pictures, in the order of the pictures.

Some threads decode and find faces while the network predicts.  Only a few pictures are in memory
at any time, whatever their number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ImageError
from facial_expression.inference.boxes import Box, crop
from facial_expression.inference.network import Network
from facial_expression.inference.sources import Source
from facial_expression.pictures.images import Picture, square

BATCH = 64
"""Faces that the network takes at once."""

WAITING = 64
"""Pictures of a batch at most: those without a face should not make people wait for their line."""

HELD = 16_000_000
"""Pixels of a batch of pictures that are kept, from which on it waits for no more faces."""

Find = Callable[[Image.Image], list[Box]]
"""Faces on an upright picture of mode "RGB", as `Detector.find`."""

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Face:
    """A face and what the network says of it.

    Attributes:
        box: where it is.
        probabilities: float32 (classes,), calibrated, in the network's order.
    """

    box: Box
    probabilities: NDArray[np.float32]

    @property
    def best(self) -> int:
        """Position of the likeliest class."""
        return int(self.probabilities.argmax())

    @property
    def entropy(self) -> float:
        """Of the probabilities, in nats: 0 where one class is sure, log(classes) at most."""
        some = self.probabilities[self.probabilities > 0].astype(np.float64)
        return float((some * np.log(1 / some)).sum())


@dataclass(frozen=True)
class Seen:
    """A picture that was looked at.

    Attributes:
        path, frame: see `Source`.
        size: width and height of the upright picture; (0, 0) if it was not read.
        faces: the surest first.
        error: why it was not read; empty if it was.
        rgb: the upright picture, where it is kept.
    """

    path: str
    frame: int | None
    size: tuple[int, int] = (0, 0)
    faces: tuple[Face, ...] = ()
    error: str = ""
    rgb: Image.Image | None = None


@dataclass(frozen=True)
class _Looked:
    """A picture whose faces wait for the network: uint8 (side, side) each."""

    seen: Seen
    boxes: list[Box]
    crops: list[NDArray[np.uint8]]


def predict(
    sources: Iterable[Source],
    network: Network,
    find: Find | None,
    *,
    workers: int = 1,
    live: bool = False,
    keep: bool = False,
) -> Iterator[Seen]:
    """Look at pictures one after the other; what cannot be read comes with its `error`.

    Args:
        sources: see there.
        network: says what the faces express.
        find: finds the faces; without it each picture is one, cut to its largest centred square
            as for training.
        workers: threads that decode and find, and as many that predict: a network that uses one
            thread itself then gives the same digits whatever their number.
        live: answer picture by picture, without delay, in one thread.
        keep: keep `Seen.rgb`.
    """
    workers = 1 if live else workers
    look = partial(_look, network=network, find=find, keep=keep)
    batches = _batches(in_order(look, sources, workers), 1 if live else BATCH)
    for batch in in_order(partial(_settle, network=network), batches, workers):
        yield from batch


def in_order(make: Callable[[Item], Made], items: Iterable[Item], workers: int) -> Iterator[Made]:
    """`map` in threads; at most one item more than threads is taken before it is asked for."""
    if workers == 1:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Made]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(make, item))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _batches(looked: Iterable[_Looked], size: int) -> Iterator[list[_Looked]]:
    """Pictures with `size` faces together, or so many that they should not wait for more."""
    waiting: list[_Looked] = []
    faces = pixels = 0
    for each in looked:
        waiting.append(each)
        faces += len(each.crops)
        pixels += each.seen.rgb.width * each.seen.rgb.height if each.seen.rgb else 0
        if size == 1 or faces >= size or pixels >= HELD or len(waiting) >= WAITING:
            yield waiting
            waiting, faces, pixels = [], 0, 0
    if waiting:
        yield waiting


def _look(source: Source, network: Network, find: Find | None, keep: bool) -> _Looked:
    try:
        picture = source.read()
    except (ImageError, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return _Looked(Seen(source.path, source.frame, error=reason), [], [])
    boxes, crops = cut(picture, network, find)
    rgb = picture.rgb if keep else None
    return _Looked(Seen(source.path, source.frame, picture.upright.size, rgb=rgb), boxes, crops)


def cut(
    picture: Picture, network: Network, find: Find | None
) -> tuple[list[Box], list[NDArray[np.uint8]]]:
    """The faces of a picture and their pixels for the network, uint8 (side, side) each.

    Without `find` the picture is one face: its largest centred square.
    """
    if find is None:
        return [_whole(picture)], [square(picture, network.side)]
    boxes = find(picture.rgb)
    return boxes, [crop(picture.grey, box, network.crop, network.side) for box in boxes]


def _whole(picture: Picture) -> Box:
    """The largest centred square, as `square` cuts it."""
    width, height = picture.upright.size
    edge = min(width, height)
    return Box((width - edge) // 2, (height - edge) // 2, edge, edge, 1.0)


def _settle(waiting: list[_Looked], network: Network) -> list[Seen]:
    crops = [each for looked in waiting for each in looked.crops]
    rows = iter(network.predict(np.stack(crops), BATCH).probabilities if crops else ())
    return [
        replace(looked.seen, faces=tuple(Face(box, next(rows)) for box in looked.boxes))
        for looked in waiting
    ]
