"""The library behind the stages, and the public interface to the network: `FaceReader`.

What is public is imported when it is first used, so that the stages pay nothing for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facial_expression.core.errors import ImageError, ModelError, ParameterError
    from facial_expression.inference.boxes import Box
    from facial_expression.inference.pipeline import Face, Result
    from facial_expression.inference.reader import FaceReader

__all__ = ["Box", "Face", "FaceReader", "ImageError", "ModelError", "ParameterError", "Result"]

_MODULES = {
    "Box": "inference.boxes",
    "Face": "inference.pipeline",
    "FaceReader": "inference.reader",
    "ImageError": "core.errors",
    "ModelError": "core.errors",
    "ParameterError": "core.errors",
    "Result": "inference.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
