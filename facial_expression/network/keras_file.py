"""A model file with canonical bytes: equal models are equal files.

Keras writes the date and object ids into a `.keras` file, so that every run would change it and
everything downstream would run again for nothing.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from facial_expression.core.errors import ModelError
from facial_expression.core.files import atomic
from facial_expression.core.params import pinned

VOLATILE = ("date_saved", "shared_object_id")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold


def save(model: keras.Model, path: Path, *, half: bool = False) -> None:
    """Write `model` as a `.keras` file without optimizer state; equal models give equal bytes.

    With `half`, kernels are rounded to float16 in the file, which is half as large and loads as
    any other; the network computes in its own precision.
    """
    bare = keras.Model.from_config(model.get_config())
    for target, source in zip(bare.variables, model.variables, strict=True):
        target.assign(source)
    with tempfile.TemporaryDirectory() as folder, atomic(path) as temporary:
        written = Path(folder) / "model.keras"
        bare.save(written)
        _rewrite(written, temporary, half)


def load(path: Path) -> keras.Model:
    """Read a `.keras` file for inference.

    Raises:
        ModelError: the file is missing or is no Keras model.
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
        ParameterError: the file is missing, or is another one than the recipe says.
        ModelError: it is no Keras model.
    """
    remedy = "dvc pull brings the released network; a recipe's first lines say how others are made"
    return load(pinned(path, sha256, f"{key}.weights", remedy))


def _rewrite(source: Path, target: Path, half: bool) -> None:
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as write:
        for name in sorted(read.namelist()):
            data = read.read(name)
            if name.endswith(".json"):
                data = json.dumps(_steady(json.loads(data)), sort_keys=True).encode()
            elif half and name.endswith(".h5"):
                data = _halved(data)
            write.writestr(zipfile.ZipInfo(name, EPOCH), data)


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


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [_steady(item) for item in value]
    return value
