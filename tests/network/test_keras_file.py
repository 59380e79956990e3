import os
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from facial_expression.core.errors import ModelError
from facial_expression.core.files import write_zip
from facial_expression.network import keras_file
from facial_expression.network.keras_file import check_probabilities, load_classifier
from facial_expression.train import models
from tests.clones import ROOT
from tests.helpers import one_line

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), dtype=np.uint8)


def trained(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = models.build("small", 48, 3)
    model.compile("adam", "categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


def test_equal_models_are_equal_bytes_and_others_are_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        keras_file.save(trained(seed), tmp_path / f"{name}.keras")
    a, b, c = ((tmp_path / f"{name}.keras").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_saved_model_predicts_the_same_and_carries_no_optimizer(tmp_path):
    model = trained()
    keras_file.save(model, tmp_path / "model.keras")
    loaded = keras_file.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(PICTURES, verbose=0), model.predict(PICTURES, verbose=0)
    )
    weights = sum(int(np.prod(variable.shape)) for variable in model.weights) * 4
    assert (tmp_path / "model.keras").stat().st_size < weights * 1.5  # Adam's slots would triple it
    assert not loaded.compiled


@pytest.mark.parametrize("content", [None, b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=one_line("expected a Keras 3 model", "train stage")):
        keras_file.load(path)


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
    [((16, 12, 1), 3, None), ((16, 16, 3), 3, None), ((10,), 3, None)]
    + [((16, 16, 1), 7, None), ((16, 16, 1), 3, 48)],
)
def test_another_model_is_refused_in_one_line(tmp_path, shape, classes, side):
    path = saved(tmp_path / "m.keras", shape, classes)
    with pytest.raises(ModelError, match=one_line("m.keras: expected", "into 3 classes", "found")):
        load_classifier(path, 3, side)


def of_layer(path: Path, layer: keras.Layer) -> None:
    pictures = keras.Input((16, 16, 1), dtype="uint8")
    x = layers.Dense(3)(layers.Flatten()(layer(pictures)))
    keras.Model(pictures, x).save(path)


def renamed(path: Path, old: str, new: str) -> None:
    """Write a model with another config."""
    of_layer(path, layers.Rescaling(1 / 255))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(old.encode(), new.encode())
    write_zip(path, members.items())


@pytest.mark.parametrize(
    "write",
    [
        lambda path: of_layer(path, layers.Lambda(lambda x: x)),
        lambda path: renamed(path, "Rescaling", "Scaling"),
        lambda path: renamed(path, "Functional", "Dense"),
        lambda path: renamed(path, '"keras.layers"', '"os"'),
        lambda path: renamed(path, "[null, 16, 16, 1]", "{}"),
        lambda path: renamed(path, '"units": 3', '"units": []'),
        lambda path: renamed(path, "{", 2000 * '{"a":'),
    ],
    ids=["code", "no layer", "no model", "a module", "shape", "units", "deep"],
)
def test_a_strange_model_is_refused_in_one_line(tmp_path, write):
    write(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=one_line("m.keras: expected a")):
        load_classifier(tmp_path / "m.keras")


def test_a_file_that_the_machine_cannot_open_is_not_called_a_bad_model(tmp_path):
    path = tmp_path / "model.keras"
    keras_file.save(trained(), path)
    free = os.dup(0)
    os.close(free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))  # no more open files
        with pytest.raises(OSError, match="Too many open files"):
            keras_file.load(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    keras_file.load(path)


@pytest.mark.parametrize("kept", [0, 20_000])
def test_a_cut_model_has_no_portable_form(tmp_path, kept):
    path, out = tmp_path / "model.keras", tmp_path / "portable.keras"
    keras_file.save(trained(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match=one_line("expected a Keras 3 model", "train stage")):
        keras_file.save_portable(path, out)
    assert not out.exists()


def test_hdf5_is_refused(tmp_path):
    keras.Model(x := keras.Input((2,)), layers.Dense(2)(x)).save(tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"ends in \.keras"):
        keras_file.load(tmp_path / "m.h5")


@pytest.mark.parametrize("year", [1971, 2110])
def test_a_wrong_clock_is_named(tmp_path, monkeypatch, year):
    monkeypatch.setattr("time.time", lambda: (year - 1970) * 365.25 * 86400)
    with pytest.raises(ModelError, match="clock"):
        saved(tmp_path / "m.keras", (4,), 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [[[2.0, -1.0, 0.0]], [[0.2, 0.2, 0.2]], [[1.0, 0.9, 0.0]]])
def test_a_network_without_a_softmax_is_refused(rows):
    with pytest.raises(ModelError, match=r"expected probabilities.*softmax"):
        check_probabilities(Path("model.keras"), np.array(rows))


NETWORKS = ("seed", "fast")


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the portable form of every network, pictures, and what each says of them."""
    folder = tmp_path_factory.mktemp("portable")
    np.save(folder / "pictures.npy", PICTURES)
    for name in NETWORKS:
        keras.utils.set_random_seed(1)
        model = models.build(name, 48, 3)
        keras_file.save(model, folder / "whole.keras")
        keras_file.save_portable(folder / "whole.keras", folder / f"{name}.keras")
        np.save(folder / f"{name}.npy", model.predict(PICTURES, verbose=0))
    return folder


@pytest.mark.parametrize("name", NETWORKS)
def test_the_portable_form_is_the_same_network(portable: Path, tmp_path: Path, name: str):
    loaded = keras_file.load(portable / f"{name}.keras")
    said = np.load(portable / f"{name}.npy")
    np.testing.assert_allclose(loaded.predict(PICTURES, verbose=0), said, atol=1e-6)
    keras_file.save_portable(portable / f"{name}.keras", tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() == (portable / f"{name}.keras").read_bytes()


@pytest.mark.slow
@pytest.mark.pipeline
def test_the_oldest_keras_of_the_card_reads_the_portable_and_the_released_form(
    portable: Path, pulled: Path, tmp_path: Path
):
    card = (ROOT / "facial_expression/export/card.md").read_text(encoding="utf-8")
    (oldest,) = re.findall(r"Keras (3\.\d+) and later", card)
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(tmp_path)]
    done = subprocess.run(
        [*install, f"keras=={oldest}.0"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"keras {oldest}.0 cannot be installed: {done.stderr.splitlines()[-1]}")
    shutil.copyfile(pulled / "released/expression.keras", portable / "released.keras")
    released = keras_file.load(portable / "released.keras")
    np.save(portable / "released.npy", released.predict(PICTURES, verbose=0))
    code = """
import sys, keras, numpy as np
assert keras.__version__ == sys.argv[1]
for name in sys.argv[2:]:
    said = keras.saving.load_model(f"{name}.keras").predict(np.load("pictures.npy"), verbose=0)
    np.testing.assert_allclose(said, np.load(f"{name}.npy"), atol=1e-6)
"""
    older = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code, f"{oldest}.0", *NETWORKS, "released"]
    subprocess.run(command, cwd=portable, env=older, check=True)
