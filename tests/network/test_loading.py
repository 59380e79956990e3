from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from facial_expression.core.errors import ModelError
from facial_expression.network import keras_file
from facial_expression.network.loading import check_probabilities, load_classifier


def saved(path, shape, classes):
    pictures = keras.Input(shape, dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(pictures))
    keras_file.save(keras.Model(pictures, layers.Dense(classes, activation="softmax")(x)), path)
    return path


@pytest.mark.parametrize("side", [None, 16])
def test_a_classifier_and_its_side(tmp_path, side):
    model, found = load_classifier(saved(tmp_path / "m.keras", (16, 16, 1), 3), 3, side)
    assert found == 16
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("shape", "classes", "side"),
    [
        ((16, 12, 1), 3, None),
        ((16, 16, 3), 3, None),
        ((10,), 3, None),
        ((16, 16, 1), 7, None),
        ((16, 16, 1), 3, 48),
    ],
)
def test_another_model_is_refused_in_one_line(tmp_path, shape, classes, side):
    path = saved(tmp_path / "m.keras", shape, classes)
    with pytest.raises(ModelError, match=r"m\.keras: expected .* into 3 classes.*found") as seen:
        load_classifier(path, 3, side)
    assert "\n" not in str(seen.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"m\.keras: expected a Keras 3 model"):
        load_classifier(tmp_path / "m.keras", 3)


@pytest.mark.parametrize("rows", [[[2.0, -1.0, 0.0]], [[0.2, 0.2, 0.2]], [[1.0, 0.9, 0.0]]])
def test_a_network_without_a_softmax_is_refused(rows):
    with pytest.raises(ModelError, match=r"expected probabilities.*softmax"):
        check_probabilities(Path("model.keras"), np.array(rows))
