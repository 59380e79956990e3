"""Published networks for faces, each read from a file that the user names.

None of these files comes with a package, and some have terms of their own, so nothing is fetched.
Facts are from the sources named in `RIVALS`, read on 2026-11-29.  Every network becomes an ONNX
session.  Grey pictures are enlarged linearly, as their packages do by `cv2.resize`, and repeated
where a network takes colours.

Which pictures they were trained on: deepface's and rmn's on FER2013's Training; rmn's best epoch is
its best on PublicTest.  EmotiEffLib's on AffectNet, OpenCV's on RAF-DB, whose labels differ.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.errors import ModelError, reason
from facial_expression.core.labels import FER2013_IDS
from facial_expression.inference.network import session

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PLAIN, SIGNED = ((0.0,), (1.0,)), ((0.5,), (0.5,))
SEVEN = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@dataclass(frozen=True)
class Rival:
    """What a package gives to its network, and what it makes of the answer.

    Attributes:
        sides: possible widths and heights of its pictures.
        channels: 1 for grey, 3 for red, green, blue.
        scaling: mean and standard deviation by channel, of pixels 0 to 1.
        orders: possible orders of the classes, under FER2013's names.
        logits: whether its output still needs a softmax.
        file: how to get the file.
        source: where these facts stand.
    """

    sides: tuple[int, ...]
    channels: int
    scaling: tuple[tuple[float, ...], tuple[float, ...]]
    orders: tuple[tuple[str, ...], ...]
    logits: bool
    file: str
    source: str


RIVALS = {
    "deepface": Rival(
        (48,), 1, PLAIN, (FER2013_IDS,), False,
        "facial_expression_model_weights.h5 of deepface's models",
        "serengil/deepface: deepface/models/demography/Emotion.py",
    ),
    "rmn": Rival(
        (224,), 3, PLAIN, (FER2013_IDS,), True,
        "torch.onnx.export of rmn.RMN(face_detector=False).emo_model on zeros (1, 3, 224, 224)",
        "rmn 3.3.0: rmn/__init__.py",
    ),
    "emotiefflib": Rival(
        (224, 260), 3, IMAGENET, (SEVEN, ("angry", "contempt", *SEVEN[1:])), True,
        "enet_b0_8_best_vgaf.onnx, enet_b2_8.onnx, ... of EmotiEffLib's models",
        "emotiefflib 1.1.1: emotiefflib/facial_analysis.py",
    ),
    "opencv": Rival(
        (112,), 3, SIGNED, (SEVEN,), True,
        "facial_expression_recognition_mobilefacenet_2022july.onnx of OpenCV's zoo",
        "opencv/opencv_zoo: models/facial_expression_recognition/facial_fer_model.py",
    ),
}  # fmt: skip


class Reader:
    """One rival's network.

    Attributes:
        most: pictures that it takes at once, None for any number.
        classes: in the order of its outputs.
    """

    def __init__(self, name: str, path: Path, threads: int) -> None:
        """Load a file of the rival `name`.

        Raises:
            ModelError: it is missing, no network, or one of other shapes.
        """
        self._rival = rival = RIVALS[name]
        wanted = f"{path}: expected {rival.file}"
        if not path.is_file():
            raise ModelError(f"{wanted}, found no file")
        try:
            model = _deepface(path) if name == "deepface" else path
            self._session = session(model, threads)
        except Exception as error:  # noqa: BLE001  those of Keras and onnxruntime have no common base
            raise ModelError(f"{wanted}: {reason(error):.200}") from None
        taken, given = self._session.get_inputs()[0], self._session.get_outputs()[0]
        self._last = name == "deepface"  # channels last
        sizes = [*taken.shape]
        if len(sizes) == 4 and self._last:
            sizes = [sizes[0], sizes[3], *sizes[1:3]]
        orders = {len(order): order for order in rival.orders}
        count = given.shape[-1] if given.shape else None
        fits = len(sizes) == 4 and sizes[1] == rival.channels and sizes[2] == sizes[3]
        if not (fits and sizes[2] in rival.sides and count in orders and len(given.shape) == 2):
            raise ModelError(
                f"{wanted}, with {rival.channels} channels, sides {rival.sides} and "
                f"{sorted(orders)} classes, found one from {taken.shape} to {given.shape}"
            )
        self._side, self._input, self._output = sizes[2], taken.name, given.name
        self.most = sizes[0] if isinstance(sizes[0], int) else None
        self.classes = orders[count]

    def prepare(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Its input of grey pictures (N, side, side)."""
        size = (self._side, self._side)
        larger = [Image.fromarray(each).resize(size, Image.Resampling.BILINEAR) for each in images]
        pixels = np.stack([np.asarray(picture, np.float32) for picture in larger])[:, None] / 255
        mean, deviation = (np.reshape(each, (1, -1, 1, 1)) for each in self._rival.scaling)
        scaled = (np.repeat(pixels, self._rival.channels, axis=1) - mean) / deviation
        return np.ascontiguousarray(
            np.moveaxis(scaled, 1, -1) if self._last else scaled, np.float32
        )

    def predict(self, prepared: NDArray[Any]) -> NDArray[np.floating]:
        """Its raw output (N, classes)."""
        return np.asarray(self._session.run([self._output], {self._input: prepared})[0])

    def probabilities(
        self, raw: NDArray[np.floating], classes: Sequence[str]
    ) -> NDArray[np.float64]:
        """Probabilities of `classes`, in their order, that sum to 1; other classes are left out."""
        values = np.asarray(raw, np.float64)
        if self._rival.logits:
            values = np.exp(values - values.max(axis=1, keepdims=True))
        values = values[:, [self.classes.index(name) for name in classes]]
        return np.asarray(values / values.sum(axis=1, keepdims=True))


def _deepface(path: Path) -> bytes:
    """Make ONNX of deepface's network, whose file holds weights only."""
    import keras  # noqa: PLC0415  its backend is chosen first
    from keras import layers  # noqa: PLC0415

    def convolution(filters: int, size: int) -> layers.Layer:
        return layers.Conv2D(filters, size, activation="relu")

    model = keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            *(convolution(64, 5), layers.MaxPooling2D(5, 2)),
            *(convolution(64, 3), convolution(64, 3), layers.AveragePooling2D(3, 2)),
            *(convolution(128, 3), convolution(128, 3), layers.AveragePooling2D(3, 2)),
            layers.Flatten(),
            *(layers.Dense(1024, activation="relu"), layers.Dense(1024, activation="relu")),
            layers.Dense(len(FER2013_IDS), activation="softmax"),
        ]
    )
    model.load_weights(path)
    model(np.zeros((1, 48, 48, 1), np.float32))  # an export wants a network that was called
    with tempfile.TemporaryDirectory() as folder:
        model.export(Path(folder) / "deepface.onnx", format="onnx", verbose=False)
        return (Path(folder) / "deepface.onnx").read_bytes()
