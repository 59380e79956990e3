from __future__ import annotations

import importlib.metadata

import pytest

from facial_expression.errors import ModelError
from facial_expression.training import backend


def test_versions_are_those_installed():
    found = backend.versions("tensorflow")
    assert found["keras"] == importlib.metadata.version("keras")
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert any(name.startswith("tensorflow") for name in found)


def test_another_backend_than_the_running_one_is_refused(monkeypatch):
    import keras

    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    other = "torch" if keras.backend.backend() == "tensorflow" else "tensorflow"
    with pytest.raises(ModelError, match="start a new process"):
        backend.configure(other, 2)
