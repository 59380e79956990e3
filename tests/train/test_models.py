from __future__ import annotations

import re

import keras
import numpy as np
import pytest

from facial_expression.core.errors import ModelError
from facial_expression.core.params import load
from facial_expression.network.macs import macs
from facial_expression.network.recipe import Recipe
from facial_expression.train import models
from tests.clones import ROOT

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), dtype=np.uint8)
POOLED = ("fast", "compact", "slim", "lean", "mid", "best", "large")  # whitened stem, mean, head


def test_the_seed_network_is_the_notebooks():
    model = models.build("seed", 48, 7)
    assert model.count_params() == 4_232_199
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert [layer.filters for layer in convolutions] == [128, 256, 512, 512]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert {layer.padding for layer in convolutions} == {"valid"}
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"]
    assert rates == [0.4, 0.4, 0.4, 0.4, 0.4, 0.3]
    dense = [layer.units for layer in model.layers if type(layer).__name__ == "Dense"]
    assert dense == [512, 256, 7]


def test_the_small_network_has_the_parameters_that_its_documents_name():
    assert models.build("small", 48, 7).count_params() == 85_367


def test_the_table_of_recipes_states_the_size_of_their_networks():
    text = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| .* \| ([\d,]+) \| ([\d.]+) M \| ", text, re.M)
    assert {name for name, *_ in rows} == {p.stem for p in (ROOT / "conf/recipe").glob("*.yaml")}
    for name, parameters, millions in rows:
        recipe = load(ROOT / f"conf/recipe/{name}.yaml", "train", Recipe)
        model = models.build(recipe.model, 48, 7)
        assert (parameters, millions) == (f"{model.count_params():,}", f"{macs(model) / 1e6:.1f}")


@pytest.mark.parametrize("name", models.BUILDERS)
def test_docstrings_state_the_parameters_and_the_multiply_accumulates(name):
    said = re.search(
        r"([\d,]+) parameters with 7 classes at side 48; ([\d.,]+) M multiply-accumulates",
        models.BUILDERS[name].__doc__ or "",
    )
    assert said, "the docstring says neither"
    model = models.build(name, 48, 7)
    assert said[1] == f"{model.count_params():,}"
    decimals = len(said[2].partition(".")[2])
    assert said[2] == f"{macs(model) / 1e6:,.{decimals}f}"


@pytest.mark.parametrize("name", ["compact", "slim"])
def test_a_small_network_is_as_small_as_it_promises(name):
    model = models.build(name, 48, 7)
    assert model.count_params() <= 600_000
    assert macs(model) <= 20e6


@pytest.mark.parametrize("name", POOLED)
def test_a_class_activation_map_comes_out_of_the_same_pass(name):
    """Zhou et al. 2016: the head is linear in the mean of the last feature maps."""
    keras.utils.set_random_seed(0)
    model = models.build(name, 48, 7)
    pooled, head = model.get_layer("pooled"), model.get_layer("logits")
    both = keras.Model(model.input, [pooled.input, head.output])
    maps, logits = (np.asarray(value) for value in both(PICTURES))
    kernel, bias = head.get_weights()
    activation = maps @ kernel  # (N, rows, columns, classes)
    assert activation.shape[1] > 1
    np.testing.assert_allclose(activation.mean(axis=(1, 2)) + bias, logits, atol=1e-4)


@pytest.mark.parametrize("name", POOLED)
def test_the_whitening_is_frozen(name):
    model = models.build(name, 48, 7)
    assert not model.get_layer("whitening").trainable
    assert all("whitening" not in v.path for v in models.logits_of(model).trainable_variables)


@pytest.mark.parametrize("name", models.BUILDERS)
@pytest.mark.parametrize("classes", [2, 8])
def test_networks_take_uint8_and_give_probabilities(name, classes):
    model = models.build(name, 48, classes)
    probabilities = np.asarray(model(PICTURES))
    assert model.input.dtype == "uint8"
    assert probabilities.shape == (3, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_rescaling_is_part_of_the_network():
    model = models.build("small", 48, 3)
    white = np.asarray(model.get_layer("rescaling")(np.full((1, 48, 48, 1), 255, np.uint8)))
    np.testing.assert_allclose(white, 1, rtol=1e-6)


def test_layer_names_do_not_depend_on_what_was_built_before():
    first = [layer.name for layer in models.build("seed", 48, 7).layers]
    models.build("small", 48, 7)
    assert [layer.name for layer in models.build("seed", 48, 7).layers] == first


def test_an_unknown_network_names_those_there_are():
    with pytest.raises(ModelError, match=r"expected one of seed, small, .*, found 'resnet50'"):
        models.build("resnet50", 48, 7)


def test_pictures_too_small_for_the_network():
    with pytest.raises(ModelError, match=r"'seed' does not fit pictures of side 24.*side"):
        models.build("seed", 24, 7)
