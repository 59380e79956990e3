import re

import keras
import numpy as np
import pytest

from facial_expression.core.errors import ModelError
from facial_expression.core.params import load
from facial_expression.network import keras_file
from facial_expression.network.macs import macs
from facial_expression.network.recipe import Recipe
from facial_expression.train import models
from tests.clones import ROOT

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), dtype=np.uint8)
RECIPES = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", models.BUILDERS)
def test_every_network_is_what_it_says_and_loads_in_plain_keras(name, tmp_path):
    model = models.build(name, 48, 7)
    doc = models.BUILDERS[name].__doc__ or ""
    said = re.search(r"([\d,]+) parameters, ([\d.,]+) M multiplications", doc)
    assert said, "the docstring says neither"
    assert said[1] == f"{model.count_params():,}"
    decimals = len(said[2].partition(".")[2])
    assert said[2] == f"{macs(model) / 1e6:,.{decimals}f}"
    for path in (ROOT / "conf/recipe").glob("*.yaml"):
        if load(path, "train", Recipe).model == name:
            cells = rf"\| {model.count_params():,} \| {macs(model) / 1e6:.1f} M \|"
            assert re.search(rf"^\| `{path.stem}` .*{cells}", RECIPES, re.M), path.stem
    assert model.input.dtype == "uint8"
    probabilities = np.asarray(model(PICTURES))
    assert probabilities.shape == (3, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    keras_file.save(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(loaded(PICTURES)), probabilities, atol=1e-6)


def test_the_seed_network_is_the_notebooks():
    by_kind: dict[str, list[keras.Layer]] = {}
    for layer in models.build("seed", 48, 7).layers:
        by_kind.setdefault(type(layer).__name__, []).append(layer)
    assert [layer.filters for layer in by_kind["Conv2D"]] == [128, 256, 512, 512]
    shapes = {(layer.kernel_size, layer.padding) for layer in by_kind["Conv2D"]}
    assert shapes == {((3, 3), "valid")}
    assert [layer.rate for layer in by_kind["Dropout"]] == [0.4, 0.4, 0.4, 0.4, 0.4, 0.3]
    assert [layer.units for layer in by_kind["Dense"]] == [512, 256, 7]


def test_layer_names_do_not_depend_on_what_was_built_before():
    first = [layer.name for layer in models.build("seed", 48, 7).layers]
    models.build("small", 48, 7)
    assert [layer.name for layer in models.build("seed", 48, 7).layers] == first


def test_unknown_networks_and_small_pictures_are_refused():
    with pytest.raises(ModelError, match=r"expected one of seed, small, .*, found 'resnet50'"):
        models.build("resnet50", 48, 7)
    with pytest.raises(ModelError, match=r"'seed' does not fit pictures of side 24.*side"):
        models.build("seed", 24, 7)
