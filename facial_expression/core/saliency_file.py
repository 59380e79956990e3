"""saliency.npz: the saliency maps that the evaluate stage writes and the plot stage draws."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import atomic
from facial_expression.core.zips import write_zip

RIGHT, WRONG = 0, 1


@dataclass(frozen=True)
class Saliency:
    """Pictures of one split with a map each, by actual class, right predictions before wrong ones.

    Attributes:
        rows: int64 (N,), positions in the split's arrays.
        kinds: int64 (N,), `RIGHT` or `WRONG`.
        maps: uint8 (N, side, side); 255 where the evidence for the predicted class is strongest, 0
            where there is none.
    """

    rows: NDArray[np.int64]
    kinds: NDArray[np.int64]
    maps: NDArray[np.uint8]


def write(path: Path, saliency: Saliency) -> None:
    """Write the file atomically; equal content gives equal bytes."""
    with atomic(path) as temporary:
        arrays = ((f"{name}.npy", [_npy(array)]) for name, array in vars(saliency).items())
        write_zip(temporary, arrays, permissions=0o600)


def read(path: Path) -> Saliency:
    """Read the file that evaluate wrote.

    Raises:
        DatasetError: the file is missing, damaged, or holds other arrays.
    """
    try:
        with np.load(path) as arrays:
            return Saliency(arrays["rows"], arrays["kinds"], arrays["maps"])
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{path}: expected rows, kinds and maps in an .npz file: {reason}; run evaluate again"
        ) from None


def _npy(array: NDArray[np.integer]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
