"""Model files with canonical bytes: equal models are equal files.

Keras writes the date and object ids into a `.keras` file.  With them every run would change the
file, and DVC would run all later stages again.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from facial_expression.core.errors import ModelError
from facial_expression.core.files import atomic
from facial_expression.core.params import pinned
from facial_expression.core.zips import write_zip

VOLATILE = ("date_saved", "shared_object_id")
"""Keys of its JSON members that differ between two saves of one model."""


def save(model: keras.Model, path: Path, *, half: bool = False) -> None:
    """Write `model` as a `.keras` file without optimizer state; equal models give equal bytes.

    Args:
        model: a functional Keras model.
        path: the file to write, atomically.
        half: round arrays of more than one axis to float16 in the file.  It is half as large and
            loads like any other; the network computes in its own precision.
    """
    bare = keras.Model.from_config(model.get_config())
    for target, source in zip(bare.variables, model.variables, strict=True):
        target.assign(source)
    with tempfile.TemporaryDirectory() as folder, atomic(path) as temporary:
        written = Path(folder) / "model.keras"
        bare.save(written)
        write_zip(temporary, _canonical(written, half), permissions=0o600)


def load(path: Path) -> keras.Model:
    """Read a `.keras` file for inference.

    Raises:
        ModelError: the file is missing or is not a Keras model.
    """
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path}: expected a Keras 3 model: {reason}; run the train stage again"
        ) from None


def load_pinned(path: str, sha256: str, key: str) -> keras.Model:
    """Read the `.keras` file that a recipe names under `key`.

    Raises:
        ParameterError: the file is missing, or its sha256 is not the one in the recipe.
        ModelError: the file is not a Keras model.
    """
    remedy = "dvc pull brings the released network; a recipe's first lines say how others are made"
    return load(pinned(path, sha256, f"{key}.weights", remedy))


def _canonical(source: Path, half: bool) -> Iterator[tuple[str, list[bytes]]]:
    """The members of a `.keras` file, sorted, without what changes from run to run."""
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            data = archive.read(name)
            if name.endswith(".json"):
                data = json.dumps(_without_volatile(json.loads(data)), sort_keys=True).encode()
            elif half and name.endswith(".h5"):
                data = _halved(data)
            yield name, [data]


def _halved(data: bytes) -> bytes:
    """The HDF5 file in which every array of more than one axis is float16."""
    stream = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as source, h5py.File(stream, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = target.require_group(name)
            else:
                values = item[()].astype(np.float16) if item.ndim > 1 else item[()]
                made = target.create_dataset(name, data=values)
            made.attrs.update(item.attrs)

        source.visititems(copy)
    return stream.getvalue()


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [_without_volatile(item) for item in value]
    return value
