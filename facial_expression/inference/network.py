"""An exported network in onnxruntime: grey pictures -> calibrated probabilities."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.command import processors
from facial_expression.core.errors import ModelError, reason
from facial_expression.inference.boxes import CropRule

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

LONGEST = 5.0  # seconds for one picture
MEMORY = 256 << 20  # bytes a processor, of four or more: what networks from anywhere may take
STANDARD = 48  # pixels of a side; FER2013's
INPUT, PROBABILITIES, ACTIVATION = "pictures", "probabilities", "class_activation"


def session(model: Path | bytes, threads: int, bounded: bool = False) -> InferenceSession:
    """Load an ONNX model to run on the CPU; with `threads` 0 onnxruntime chooses their number.

    All `bounded` ones together take at most `MEMORY` a processor.  Loading computes nothing, so a
    model from anywhere can be loaded at once.

    Raises onnxruntime's own errors, which have no common base class.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors are raised as well
    if bounded:
        _bound_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(
        model, options, ["CPUExecutionProvider"], disabled_optimizers=["ConstantFolding"]
    )


@cache
def _bound_memory() -> None:
    import onnxruntime as ort

    kinds = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    most = ort.OrtArenaCfg({"max_mem": max(4, processors()) * MEMORY})
    ort.create_and_register_allocator(ort.OrtMemoryInfo("Cpu", *kinds), most)


@dataclass(frozen=True)
class Output:
    """The network's output for N pictures.

    Attributes:
        probabilities: float32 (N, classes), calibrated, rows sum to 1.
        activation: float32 (N, rows, columns, classes), the class activation map (Zhou et al. 2016,
            arXiv:1512.04150): the evidence at each place for each class.  Its mean over the places
            is the logit without the bias.  None for networks that do not end in global average
            pooling.
    """

    probabilities: NDArray[np.float32]
    activation: NDArray[np.float32] | None


class Network:
    """A `model.onnx` that stage export wrote.  Several threads may share one.

    Attributes:
        classes: names, in the order of the probabilities.
        side: width and height of its input pictures, in pixels.
        crop: how faces must be cropped for it.
        facts: the file's metadata as text: data set, licence, terms, protocol, accuracy, ...
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load the network at `path`; with `threads` 0 onnxruntime chooses their number.

        Raises:
            ModelError: the file is missing, not an ONNX model, or not one of stage export.
            OSError: it may not be read, or the disk fails.
        """
        if not path.is_file():
            raise ModelError(
                f"{path}: no such model; `dvc pull` brings the released one, `dvc repro` makes one"
            )
        path.open("rb").close()  # onnxruntime takes a file that it may not open for no model
        from onnxruntime import RunOptions

        try:
            self._session = session(path, threads, bounded=True)
        except Exception as error:  # noqa: BLE001  onnxruntime's errors have no common base class
            raise ModelError(
                f"{path}: expected an ONNX model: {reason(error):.200}; export it again"
            ) from None
        self.facts = dict(self._session.get_modelmeta().custom_metadata_map)
        inputs = {each.name: each.shape for each in self._session.get_inputs()}
        outputs = [each.name for each in self._session.get_outputs()]
        self._path, self._options = path, RunOptions()
        self._outputs = [name for name in (PROBABILITIES, ACTIVATION) if name in outputs]
        try:
            self.classes = tuple(map(str, json.loads(self.facts["classes"])))
            self.crop = CropRule(**json.loads(self.facts["crop"]))
            _, self.side, _, _ = inputs[INPUT]
            outputs.index(PROBABILITIES)
            possible = 0 < self.crop.scale <= 10 and -1 <= self.crop.drop <= 1
            if not (possible and 0 < self.side <= 512):
                raise ValueError(f"impossible {self.crop} or side {self.side}")
            self._try()
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise ModelError(
                f"{path}: expected a network that stage export wrote, with {INPUT}, "
                f"{PROBABILITIES} and its metadata, found {', '.join([*inputs, *outputs])} "
                f"({error!r:.200}); export the run again"
            ) from None

    def _try(self) -> None:
        """Predict one black picture; a ModelError if that does not end."""
        watch = Timer(LONGEST, setattr, (self._options, "terminate", True))
        watch.start()
        try:
            output = self.predict(np.zeros((1, self.side, self.side), np.uint8))
        finally:
            watch.cancel()  # otherwise the process waits for it before it ends
        shapes = [output.probabilities.shape]
        if output.activation is not None:
            shapes.append(output.activation.shape[:1] + output.activation.shape[3:])
        if shapes != len(shapes) * [(1, len(self.classes))]:
            raise ValueError(f"outputs {shapes} for {len(self.classes)} classes")

    def predict(self, images: NDArray[np.uint8], batch_size: int = 64) -> Output:
        """Run the network on uint8 pictures (N, side, side), N at least 0.

        `batch_size` is for pictures of 48 pixels; of larger ones fewer are computed at once, since
        memory is bounded.

        Raises:
            ModelError: it cannot run, or predicts NaN or infinity.
        """
        batch_size = max(1, batch_size * STANDARD**2 // max(STANDARD, self.side) ** 2)
        starts = range(0, len(images), batch_size) or [0]  # an empty batch gives empty arrays
        batches = ({INPUT: images[start : start + batch_size, ..., None]} for start in starts)
        try:
            parts = [self._session.run(self._outputs, batch, self._options) for batch in batches]
            probabilities, *maps = map(np.concatenate, zip(*parts, strict=True))
            if not all(np.isfinite(values).all() for values in (probabilities, *maps)):
                raise ValueError("it predicts NaN or infinity")
        except Exception as error:  # noqa: BLE001
            raise ModelError(
                f"{self._path}: cannot run: {reason(error):.400}; export it again"
            ) from None
        return Output(probabilities, maps[0] if maps else None)
