"""A network in ONNX form: grey squares -> calibrated probabilities, without TensorFlow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import ModelError
from facial_expression.inference.boxes import CropRule
from facial_expression.inference.sessions import session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

INPUT, PROBABILITIES, ACTIVATION = "pictures", "probabilities", "class_activation"


@dataclass(frozen=True)
class Output:
    """What a network says of N pictures.

    Attributes:
        probabilities: float32 (N, classes), calibrated, rows sum to 1.
        activation: float32 (N, rows, columns, classes): how much each place speaks for each class
            (class activation map, Zhou et al. 2016, arXiv:1512.04150), where the network ends in
            global average pooling; its mean over the places is the class's logit less its bias.
    """

    probabilities: NDArray[np.float32]
    activation: NDArray[np.float32] | None


class Network:
    """A `model.onnx` of stage export.

    Attributes:
        classes: names, in the order of the probabilities.
        side: of the square pictures that it takes.
        crop: how faces were cut out for it.
        facts: the file's metadata, as text: data set, licence, terms, protocol, accuracy, ...
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load the network at `path`; `threads` 0 lets the library choose.

        Raises:
            ModelError: the file is missing, is no ONNX model, or none that stage export wrote.
        """
        self._session = _session(path, threads)
        self.facts = dict(self._session.get_modelmeta().custom_metadata_map)
        inputs = {each.name: each.shape for each in self._session.get_inputs()}
        self._names = [each.name for each in self._session.get_outputs()]
        try:
            self.classes = tuple(json.loads(self.facts["classes"]))
            self.crop = CropRule(**json.loads(self.facts["crop"]))
            _, self.side, _, _ = inputs[INPUT]
            self._names.index(PROBABILITIES)
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"{path}: expected a network that stage export wrote, with {INPUT}, "
                f"{PROBABILITIES} and its metadata, found {', '.join([*inputs, *self._names])} "
                f"({error!r}); export the run again"
            ) from None

    def predict(self, images: NDArray[np.uint8], batch_size: int = 64) -> Output:
        """Probabilities and maps of uint8 pictures (N, side, side), N at least 0."""
        starts = range(0, len(images), batch_size)
        parts = [self._run(images[start : start + batch_size]) for start in starts]
        parts = parts or [self._run(np.zeros((0, self.side, self.side), np.uint8))]
        maps = [part[1] for part in parts if len(part) > 1]
        return Output(
            np.concatenate([part[0] for part in parts]), np.concatenate(maps) if maps else None
        )

    def _run(self, images: NDArray[np.uint8]) -> list[Any]:
        wanted = [PROBABILITIES, *(name for name in self._names if name == ACTIVATION)]
        return list(self._session.run(wanted, {INPUT: images[..., None]}))


def _session(path: Path, threads: int) -> InferenceSession:
    if not path.is_file():
        raise ModelError(
            f"{path}: no such model; `dvc pull` brings the released one, `dvc repro` makes one"
        )
    try:
        return session(path, threads)
    except Exception as error:  # noqa: BLE001  the library's classes have no common base
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: expected an ONNX model: {reason}; export it again") from None
