"""Pictures -> faces -> probabilities, in batches across pictures, in the order of the pictures.

Threads decode pictures and find faces while the network predicts.  Only a few pictures are in
memory at any time, whatever their number.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ImageError
from facial_expression.core.threads import map_ahead
from facial_expression.inference.boxes import Box, crop, reading_order
from facial_expression.inference.network import Network
from facial_expression.inference.sources import Source
from facial_expression.pictures.images import Picture, in_turn, square

BATCH = 64
"""Faces that the network predicts at once."""

MAX_PICTURES = 64
"""Pictures of a batch, so that pictures without a face do not delay those before them."""

MAX_PIXELS = 16_000_000
"""Pixels of a batch's pictures where `predict` keeps them; bounds the memory."""

KEPT = 50_000_000
"""Pixels of a picture that `predict` keeps; a larger one is kept at half its width and height."""

Find = Callable[[Image.Image], list[Box]]
"""Finds the faces on an upright picture of mode "RGB", as `Detector.find` does."""

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Face:
    """A face and its expression.

    Attributes:
        box: its place, as far as it lies on the picture.
        probabilities: float32 (classes,), calibrated.
        classes: their names, in the same order.
    """

    box: Box
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def expressions(self) -> dict[str, float]:
        """Class -> probability, 0 to 1."""
        return dict(zip(self.classes, map(float, self.probabilities), strict=True))

    @property
    def entropy(self) -> float:
        """Entropy of the probabilities in nats: 0 for one certain class, at most log(classes)."""
        some = self.probabilities[self.probabilities > 0].astype(np.float64)
        return float((some * np.log(1 / some)).sum())


@dataclass(frozen=True)
class Result:
    """The faces of one picture.

    Attributes:
        path, frame, seconds: see `Source`.
        size: width and height of the upright picture in the file; (0, 0) if it could not be read.
        faces: in reading order (`boxes.reading_order`).
        error: why the picture could not be read; empty if it was.
        rgb: the upright picture, if `predict` was asked to keep it; smaller than `size` if it is
            very large (`KEPT`, and JPEGs in `facial_expression.pictures.images`).
    """

    path: str
    frame: int | None
    size: tuple[int, int] = (0, 0)
    faces: tuple[Face, ...] = ()
    error: str = ""
    rgb: Image.Image | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class _Crops:
    """A picture's faces before prediction: uint8 (side, side) each."""

    result: Result
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
) -> Iterator[Result]:
    """Predict pictures in their order; an unreadable one gives a result with `error`.

    Args:
        sources: the pictures.
        network: predicts the faces.
        find: finds the faces; None takes each picture's largest centred square as a face.
        workers: threads that decode and find faces, and as many that predict.  If the network
            itself uses one thread, their number does not change the results.
        live: give each result before the next picture is read, in one thread.
        keep: keep `Result.rgb`.
    """
    workers = 1 if live else workers
    prepare = partial(_prepare, network=network, find=find, keep=keep)
    batches = _batches(_map(prepare, sources, workers), 1 if live else BATCH)
    for batch in _map(partial(_classify, network=network), batches, workers):
        yield from batch


def read_faces(picture: Picture, network: Network, find: Find | None) -> tuple[Face, ...]:
    """The faces of one picture, as `predict` gives them."""
    boxes, crops = find_and_crop(picture, network, find)
    clipped = [box.clipped(picture.size) for box in boxes]
    (result,) = _classify([_Crops(Result("", None), clipped, crops)], network)
    return result.faces


def find_and_crop(
    picture: Picture, network: Network, find: Find | None
) -> tuple[list[Box], list[NDArray[np.uint8]]]:
    """Boxes of a picture's faces in reading order, and their crops, uint8 (side, side) each.

    A box is where `find` sees the face, in pixels of the picture in the file; it may reach beyond
    the picture, and the crop with it.
    If `find` is None, the largest centred square is the only face.
    """
    if find is None:
        width, height = picture.size
        edge = min(width, height)
        box = Box((width - edge) // 2, (height - edge) // 2, edge, edge, 1.0)
        return [box], [square(picture, network.side)]
    boxes = reading_order(find(picture.rgb))
    crops = [crop(picture.upright, box, network.crop, network.side) for box in boxes]
    factor = picture.size[0] / picture.upright.width
    return [box.scaled(factor) for box in boxes], crops


def _map(function: Callable[[Item], Made], items: Iterable[Item], workers: int) -> Iterator[Made]:
    return map(function, items) if workers == 1 else map_ahead(function, items, workers, workers)


def _batches(prepared: Iterable[_Crops], size: int) -> Iterator[list[_Crops]]:
    """Group pictures until they have `size` faces or reach one of the limits."""
    batch: list[_Crops] = []
    faces = pixels = 0
    for each in prepared:
        batch.append(each)
        faces += len(each.crops)
        pixels += each.result.rgb.width * each.result.rgb.height if each.result.rgb else 0
        full = faces >= size or pixels >= MAX_PIXELS or len(batch) >= MAX_PICTURES
        if full or size == 1:
            yield batch
            batch, faces, pixels = [], 0, 0
    if batch:
        yield batch


@in_turn()
def _prepare(source: Source, network: Network, find: Find | None, keep: bool) -> _Crops:
    result = Result(source.path, source.frame, seconds=source.seconds)
    try:
        picture = source.read()
    except (ImageError, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return _Crops(replace(result, error=reason), [], [])
    boxes, crops = find_and_crop(picture, network, find)
    rgb = picture.rgb if keep else None
    if rgb and rgb.width * rgb.height > KEPT:
        rgb = rgb.reduce(2)
    clipped = [box.clipped(picture.size) for box in boxes]
    return _Crops(replace(result, size=picture.size, rgb=rgb), clipped, crops)


def _classify(batch: list[_Crops], network: Network) -> list[Result]:
    crops = [pixels for each in batch for pixels in each.crops]
    rows = iter(network.predict(np.stack(crops), BATCH).probabilities if crops else ())
    return [
        replace(each.result, faces=tuple(Face(b, next(rows), network.classes) for b in each.boxes))
        for each in batch
    ]
