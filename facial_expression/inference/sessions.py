"""onnxruntime's sessions, made one way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def session(model: Path | bytes, threads: int) -> InferenceSession:
    """A session on the processor; `threads` 0 lets the library choose.

    Raises whatever the library raises; its classes have no common base.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only: they are raised as well
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
