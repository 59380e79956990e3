from __future__ import annotations

import numpy as np
import pytest

from facial_expression.errors import ModelError
from facial_expression.training import models


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
    areas = [convolution.output.shape[1] ** 2 for convolution in convolutions]
    kernels = [int(np.prod(convolution.kernel.shape)) for convolution in convolutions]
    multiplies = (
        sum(a * k for a, k in zip(areas, kernels, strict=True)) + 512 * (512 + 256) + 256 * 7
    )
    assert round(multiplies / 1e6) == 218  # as its docstring says


def test_the_small_network_has_the_parameters_that_its_documents_name():
    assert models.build("small", 48, 7).count_params() == 85_367


@pytest.mark.parametrize("name", models.BUILDERS)
@pytest.mark.parametrize("classes", [2, 8])
def test_networks_take_uint8_and_give_probabilities(name, classes):
    model = models.build(name, 48, classes)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), dtype=np.uint8)
    probabilities = np.asarray(model(pictures))
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
    with pytest.raises(ModelError, match=r"expected one of seed, small, found 'resnet'"):
        models.build("resnet", 48, 7)


def test_pictures_too_small_for_the_network():
    with pytest.raises(ModelError, match=r"'seed' does not fit pictures of side 24.*side"):
        models.build("seed", 24, 7)
