"""Model files: written with canonical bytes, so that equal models are equal files, and checked.

Keras writes the date and object ids into them, for which DVC would run all later stages again.
"""

import importlib
import inspect
import json
import struct
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import ModelError, not_the_file
from facial_expression.core.files import atomic, write_zip

VOLATILE = ("date_saved", "shared_object_id")
"""Keys of its JSON members that differ between two saves of one model."""


def save(model: keras.Model, path: Path) -> None:
    """Write `model` as a `.keras` file without optimizer state; equal models give equal bytes."""
    bare = keras.Model.from_config(model.get_config())
    for target, source in zip(bare.variables, model.variables, strict=True):
        target.assign(source)
    with tempfile.TemporaryDirectory() as folder, atomic(path) as temporary:
        written = Path(folder) / "model.keras"
        try:
            bare.save(written)
        except (struct.error, ValueError) as error:  # zips, Keras' own too, date from 1980 to 2107
            raise ModelError(
                f"{path}: cannot be saved in the year {time.localtime().tm_year}: {error}; set the "
                "clock right and run again"
            ) from error
        write_zip(temporary, _canonical(written), permissions=0o600)


def save_portable(source: Path, path: Path) -> None:
    """Copy a `.keras` file so that older versions of Keras 3 read it too.

    Keras refuses a setting that it does not know, and its new versions have more of them.  So those
    with their default value are left out; each version fills in its own.  A ModelError if `source`
    is damaged.
    """
    with _refused(source), zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"], object_hook=_without_defaults)
        members["config.json"] = json.dumps(config, sort_keys=True).encode()
    with atomic(path) as temporary:
        write_zip(temporary, members.items(), permissions=0o600)


def load(path: Path) -> keras.Model:
    """Read a `.keras` file for inference; a ModelError if it is missing or no Keras model.

    Code in it (Lambda layers, pickles) is refused, and so is HDF5, where Keras may run such code.
    An OSError if the file may not be read or the disk fails.
    """
    with _refused(path):
        if path.suffix != ".keras" or not path.is_file():
            raise ValueError("expected a file whose name ends in .keras")
        path.open("rb").close()  # Keras takes a file that it may not open for no model
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        if not isinstance(model, keras.Model):
            raise TypeError(f"found a {type(model).__name__}")
        return model


def load_classifier(
    path: Path, classes: int | None = None, side: int | None = None
) -> tuple[keras.Model, int]:
    """Read a `.keras` file of a classifier; the side of its pictures (N, side, side, 1) as well.

    A ModelError if it is no such file, cannot predict, or is for other than the given number of
    classes and side.
    """
    model = load(path)
    found = [getattr(model, name, None) for name in ("input_shape", "output_shape")]
    match found:
        case (None, int(height), int(width), 1), (None, int(outputs)):
            if height == width == (side or height) and outputs == (classes or outputs):
                with _refused(path):
                    model(np.zeros((1, height, width, 1), np.uint8))
                return model, height
    edge, number = side or "side", classes or "classes"
    raise ModelError(
        f"{path}: expected a model that turns squares (None, {edge}, {edge}, 1) into {number} "
        f"classes (None, {number}), found one from {found[0]} to {found[1]}; "
        "name the classes.json that it was trained with, or another model"
    )


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # those of all layers and backends have no common base class
        if not_the_file(error):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModelError(
            f"{path}: expected a Keras 3 model: {reason}; run the train stage again"
        ) from error


def check_probabilities(path: Path, rows: NDArray[np.float64]) -> None:
    """Raise ModelError unless every row (N, classes) is a distribution over the classes."""
    if not np.isfinite(rows).all():
        raise ModelError(f"{path}: predicts NaN or infinity; train it again")
    low, sums = float(rows.min()), rows.sum(axis=1)
    if low < 0 or np.abs(sums - 1).max() > 1e-3:
        raise ModelError(
            f"{path}: expected probabilities that are at least 0 and sum to 1, found values "
            f"from {low:.3g} and sums from {sums.min():.3g} to {sums.max():.3g}; "
            "end the network with a softmax"
        )


def _canonical(source: Path) -> Iterator[tuple[str, bytes]]:
    """The members of a `.keras` file, sorted, without what changes from run to run."""

    def without_volatile(value: dict[str, Any]) -> dict[str, Any]:
        return {key: item for key, item in value.items() if key not in VOLATILE}

    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            data = archive.read(name)
            if name.endswith(".json"):
                stable = json.loads(data, object_hook=without_volatile)
                data = json.dumps(stable, sort_keys=True).encode()
            yield name, data


def _without_defaults(value: dict[str, Any]) -> dict[str, Any]:
    """The JSON of an object of Keras without the settings that its constructor chooses itself.

    Of classes with a `from_config` of their own, which may ask for a setting, only without None.
    """
    if not str(value.get("module")).startswith("keras."):
        return value
    kind = getattr(importlib.import_module(value["module"]), value["class_name"])
    known, config = inspect.signature(kind.__init__).parameters, value["config"]
    chosen = {key: known[key].default for key in config if key in known}
    if "from_config" in vars(kind):
        chosen = {key: default for key, default in chosen.items() if default is None}
    return value | {"config": {k: v for k, v in config.items() if v != chosen.get(k, ...)}}
