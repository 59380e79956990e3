"""The network in released/: small, weights only, with its numbers beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from facial_expression.core.arrays import read_split
from facial_expression.core.files import sha256_of
from facial_expression.core.params import load
from facial_expression.core.tables import read_table
from facial_expression.inference.network import Network
from facial_expression.network.recipe import Recipe
from facial_expression.pictures import archive
from tests.clones import ROOT, copied, run
from tests.helpers import make_folder

pytestmark = pytest.mark.pipeline

MODEL, TWIN = "released/expression.keras", "released/expression.onnx"
INT8 = "released/expression-int8.onnx"
RELEASED = sorted((ROOT / "released").glob("*.dvc"))
METRICS = json.loads((ROOT / "released/scores.json").read_text(encoding="utf-8"))
PICTURES = np.random.default_rng(0).integers(0, 256, (40, 48, 48), dtype=np.uint8)
EXPRESSIONS = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]


def test_a_clone_has_it_after_a_pull_and_it_holds_weights_only(pulled):
    from facial_expression.network import keras_file

    assert (pulled / MODEL).stat().st_size <= 10e6
    model = keras_file.load(pulled / MODEL)
    assert not model.compiled
    assert model.input.dtype == "uint8"
    assert model.count_params() == METRICS["model"]["parameters"]
    probabilities = np.asarray(model(PICTURES[..., None]))
    assert probabilities.shape == (40, len(EXPRESSIONS))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_the_onnx_twin_says_the_same(pulled):
    from facial_expression.export.parity import parity
    from facial_expression.metrics.calibration import with_temperature
    from facial_expression.network import keras_file
    from facial_expression.network.predict import predicted_logits

    assert (pulled / TWIN).stat().st_size <= 10e6
    network = Network(pulled / TWIN)
    assert list(network.classes) == EXPRESSIONS
    assert network.facts["model_sha256"] == sha256_of(pulled / MODEL)
    assert network.facts["protocol"] == "clean"
    keras_says = predicted_logits(keras_file.load(pulled / MODEL), PICTURES)
    temperature = json.loads((ROOT / "released/calibration.json").read_text("utf-8"))["temperature"]
    found = network.predict(PICTURES)
    assert parity(with_temperature(keras_says, temperature), found.probabilities).holds
    assert found.activation is not None
    kept = json.loads((ROOT / "released/parity.json").read_text("utf-8"))
    assert (kept["n"], kept["other_class"]) == (3589, 0)


@pytest.mark.skipif(ROOT / f"{INT8}.dvc" not in RELEASED, reason="it was not faster")
def test_the_int8_form_is_of_the_same_network(pulled):
    whole, rounded = Network(pulled / TWIN), Network(pulled / INT8)
    assert (pulled / INT8).stat().st_size < 0.4 * (pulled / TWIN).stat().st_size
    assert "accuracy on val" in rounded.facts["int8"]
    assert {name: rounded.facts[name] for name in whole.facts} == whole.facts
    both = [network.predict(PICTURES).probabilities for network in (whole, rounded)]
    assert 0 < np.abs(both[0] - both[1]).mean() < 0.05


def recipe_in(path: Path) -> dict[str, Any]:
    """Section `train` of a file; older ones hold switches that exist no more."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))["train"]


def test_its_parameters_and_classes_stand_beside_it():
    kept = [recipe_in(path) for path in (ROOT / "results").glob("*/params.yaml")]
    assert recipe_in(ROOT / "released/params.yaml") in kept
    assert json.loads((ROOT / "released/classes.json").read_text("utf-8")) == EXPRESSIONS


def test_its_confusion_has_the_accuracy_of_its_scores():
    counts = read_table(ROOT / "released/confusion.csv", {"count": int})
    right = counts.loc[counts["actual"] == counts["predicted"], "count"].sum()
    assert counts["count"].sum() == METRICS["test"]["n"]
    assert round(right / METRICS["test"]["n"], 6) == METRICS["test"]["accuracy"]


def test_the_recipe_for_fine_tuning_means_it(pulled):
    recipe = load(ROOT / "conf/recipe/finetune.yaml", "train", Recipe)
    assert recipe.initial.weights == MODEL
    assert recipe.initial.sha256 == sha256_of(pulled / MODEL)
    assert recipe.model == recipe_in(ROOT / "released/params.yaml")["model"]


def test_the_small_network_starts_and_learns_from_it(pulled, tmp_path):
    """Recipe `slim` pins what its two commands make of the released network."""
    from tools import ensemble, narrow

    recipe = load(ROOT / "conf/recipe/slim.yaml", "train", Recipe)
    narrow.make(pulled / MODEL, recipe.model, tmp_path / "initial.keras")
    ensemble.make([pulled / MODEL], recipe.precision, tmp_path / "teacher.keras")
    stale = "another release: measure the recipe anew, then pin what its two commands made"
    assert recipe.initial.sha256 == sha256_of(tmp_path / "initial.keras"), stale
    assert recipe.teacher.sha256 == sha256_of(tmp_path / "teacher.keras"), stale


@pytest.mark.slow
def test_it_is_fine_tuned_on_a_folder_of_ones_own(pulled, tmp_path):
    """Drawn faces of three classes stand for a team's own."""
    clone = copied(pulled, tmp_path / "clone")
    images = clone / "data/raw/images.zip"
    names = ("train/happy/", "train/sad/", "train/neutral/")
    chosen = [item for item in archive.members(images).items() if item[0].startswith(names)]
    make_folder(clone / "data/source/folder", dict(archive.read_members(images, chosen)))
    epochs = "conf/recipe/finetune.yaml:train.epochs=8"
    options = ("-S", "data=folder", "-S", "recipe=finetune", "-S", epochs)
    run(clone, "dvc", "exp", "run", *options, "evaluate")
    classes = json.loads((clone / "data/arrays/classes.json").read_text("utf-8"))
    assert classes == ["happy", "neutral", "sad"]
    metrics = json.loads((clone / "data/evaluation/scores.json").read_text("utf-8"))
    labels = read_split(clone / "data/arrays", "val").labels
    majority = np.bincount(labels).max() / len(labels)
    assert metrics["val"]["accuracy"] > majority + 0.2, "it has learned the new classes"


@pytest.mark.slow
@pytest.mark.fer2013
def test_its_accuracy_on_public_test_is_what_it_says(pulled, fer2013_zip, tmp_path):
    clone = copied(pulled, tmp_path / "clone")
    source = f"conf/data/fer2013.yaml:fetch.source={fer2013_zip}"
    run(clone, "dvc", "exp", "run", "-S", "data=fer2013", "-S", source, "preprocess")
    from facial_expression.network import keras_file
    from facial_expression.network.predict import predicted

    split = read_split(clone / "data/arrays", "val")
    found = predicted(keras_file.load(pulled / MODEL), split.images).argmax(axis=1)
    assert (found == split.labels).mean() == pytest.approx(METRICS["val"]["accuracy"], abs=0.002)
