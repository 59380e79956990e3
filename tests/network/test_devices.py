"""What a set-up of devices refuses; tests/train/test_distribution.py trains with several."""

import pytest

from facial_expression.core.errors import ParameterError
from facial_expression.network.devices import ALONE, VARIABLES, connected
from tests.helpers import one_line


def test_without_a_distribution_there_is_one_device():
    with connected("none", "tensorflow") as devices:
        assert devices == ALONE


def test_only_jax_distributes():
    with (
        pytest.raises(ParameterError, match=one_line("train.distribution", "jax", "tensorflow")),
        connected("data_parallel", "tensorflow"),
    ):
        pass


def test_a_launcher_and_a_recipe_that_disagree_are_told_so(monkeypatch):
    monkeypatch.setenv(VARIABLES[1], "2")
    with (
        pytest.raises(ParameterError, match=one_line(VARIABLES[1], "found none; set it in the")),
        connected("none", "jax"),
    ):
        pass


@pytest.mark.extra
def test_all_variables_are_needed(monkeypatch):
    pytest.importorskip("jax", reason="the extra jax is not installed")
    monkeypatch.setenv(VARIABLES[1], "2")
    with (
        pytest.raises(ParameterError, match=one_line("found no KERAS_DISTRIBUTION_JOB_ADDRESSES")),
        connected("data_parallel", "jax"),
    ):
        pass


@pytest.mark.extra
@pytest.mark.parametrize("address", ["host", "host:port", ":80"])
def test_an_address_without_a_port_is_refused(monkeypatch, address):
    pytest.importorskip("jax", reason="the extra jax is not installed")
    for name, value in zip(VARIABLES, (address, "2", "0"), strict=True):
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(ParameterError, match=one_line(f"{VARIABLES[0]}: expected host:port")),
        connected("data_parallel", "jax"),
    ):
        pass
