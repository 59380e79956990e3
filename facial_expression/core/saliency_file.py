"""saliency.npz: a seeded choice of right and wrong predictions, and where the network looked."""

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


def choose(
    actual: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: int,
    per_class: int,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Up to `per_class` right and as many wrong predictions of each actual class, at random.

    Each class and kind has its own random generator, so that no choice depends on the others.

    Args:
        actual: labels, int64 (N,).
        predicted: predicted labels, int64 (N,).
        classes: number of classes.
        per_class: most pictures of each class and kind.
        seed: of the choice.

    Returns:
        Rows and kinds, int64; rows ascend within a class and kind.
    """
    rows, kinds = [], []
    for label in range(classes):
        for kind in (RIGHT, WRONG):
            among = np.flatnonzero((actual == label) & ((predicted != actual) == kind))
            rng = np.random.default_rng([seed, label, kind])
            drawn = np.sort(rng.choice(among, min(per_class, len(among)), replace=False))
            rows.append(drawn)
            kinds.append(np.full(len(drawn), kind))
    return np.concatenate(rows).astype(np.int64), np.concatenate(kinds).astype(np.int64)


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
