"""The public interface to the released network, and to any network of stage export."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ImageError, ParameterError
from facial_expression.inference.detection import SCORE, SMALLEST, Detector
from facial_expression.inference.network import Network
from facial_expression.inference.pipeline import Face, Result, predict, read_faces
from facial_expression.inference.released import released
from facial_expression.inference.sources import Source, read_picture
from facial_expression.inference.video import video
from facial_expression.pictures.images import Picture, from_image, in_turn

COLOURS = ("rgb", "bgr")

Input = str | Path | bytes | Image.Image | NDArray[np.uint8]
"""A picture: a file's path or bytes, a Pillow image, or an array uint8 (rows, columns) of grey
levels or (rows, columns, 3) of colours."""


class FaceReader:
    """Reads faces: where they are, and their apparent expressions.  Threads may share one.

    Equal pictures give equal answers.

    Attributes:
        classes: names of the expressions.
        facts: the network's metadata as text: data set, licence, terms, accuracy, ...
        path: the network's file.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        detect: bool = True,
        min_score: float = SCORE,
        min_face: float = SMALLEST,
        threads: int = 1,
    ) -> None:
        """Load the networks, once for all pictures.

        Args:
            model: a network of stage export; None takes the released one.
            detect: find faces; False takes the largest centred square of each picture as a face.
            min_score: lowest score of the detector, 0 to 1.
            min_face: smallest side of a face, in pixels of the picture.
            threads: threads for one picture, 0 for one per processor.  More than one may change
                last digits.

        Raises:
            ModelError: a network is missing or is none.
        """
        self.path = Path(model) if model is not None else released()
        self._network = Network(self.path, threads)
        self._find = Detector(min_score, min_face, threads).find if detect else None
        self.classes, self.facts = self._network.classes, self._network.facts

    @in_turn()
    def analyze(self, picture: Input, colour: str = "rgb") -> list[Face]:
        """The faces of a picture, in reading order.

        Args:
            picture: see `Input`.
            colour: order of an array's channels, "rgb" or OpenCV's "bgr".

        Raises:
            ImageError: the picture cannot be decoded.
            OSError: its file cannot be read.
            ParameterError: it is nothing that `Input` names.
        """
        try:
            read = _picture(picture, colour)
        except ImageError as error:
            name = f"{picture}: " if isinstance(picture, str | Path) else ""
            raise ImageError(f"{name}{error}") from None
        return list(read_faces(read, self._network, self._find))

    def analyze_many(
        self, pictures: Iterable[Input], colour: str = "rgb", *, workers: int = 1
    ) -> Iterator[Result]:
        """A result a picture, in their order, faster than one by one.

        What cannot be decoded or read gives a result with `error`.  `path` is that of a file,
        otherwise empty.

        Args:
            pictures: see `Input`; only a few are in memory at a time.
            colour: as in `analyze`.
            workers: threads that decode and find faces; their number changes no answer.
        """
        sources = (
            Source(str(each) if isinstance(each, str | Path) else "", None,
                   partial(_picture, each, colour))
            for each in pictures
        )  # fmt: skip
        return predict(sources, self._network, self._find, workers=workers)

    def analyze_video(
        self, path: str | Path, every: int = 1, limit: int | None = None, *, workers: int = 1
    ) -> Iterator[Result]:
        """A result a frame, as they are decoded, each with its `frame` and `seconds`.

        Damaged frames, and the end of a truncated file, give results with `error`.

        Args:
            path: a video file of any container that FFmpeg reads, whatever its name.
            every: read every so many frames, starting with the first.
            limit: at most so many frames.
            workers: as in `analyze_many`.

        Raises:
            OSError: the file cannot be opened.
            ParameterError: `every` or `limit` is below 1.
        """
        with Path(path).open("rb"):
            frames = video(str(path), every, limit)
        return predict(frames, self._network, self._find, workers=workers)


def _picture(given: Input, colour: str) -> Picture:
    if colour not in COLOURS:
        raise ParameterError(f'colour: expected "rgb" or "bgr", found {colour!r}')
    match given:
        case str() | Path():
            with Path(given).open("rb") as stream:
                return read_picture(stream)
        case bytes():
            return read_picture(io.BytesIO(given))
        case Image.Image():
            return from_image(given)
        case np.ndarray(dtype=np.uint8, ndim=2 | 3, size=size) if size:
            pixels = np.squeeze(given, 2) if given.shape[2:] == (1,) else given
            if pixels.ndim == 2:
                return from_image(Image.fromarray(np.ascontiguousarray(pixels)))
            if pixels.shape[2] == 3:
                pixels = pixels if colour == "rgb" else pixels[:, :, ::-1]
                return from_image(Image.fromarray(np.ascontiguousarray(pixels)))
    found = type(given).__name__
    if isinstance(given, np.ndarray):
        found = f"{given.dtype} {given.shape}"
    raise ParameterError(
        "expected a path, bytes of a file, a Pillow image, or an array uint8 (rows, columns) or "
        f"(rows, columns, 3) of levels 0 to 255, found {found}"
    )
