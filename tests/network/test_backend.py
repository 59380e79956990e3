import importlib.metadata

import pytest

from facial_expression.core.errors import ModelError
from facial_expression.network import backend


def test_versions_are_those_installed():
    found = backend.versions("tensorflow")
    assert found["keras"] == importlib.metadata.version("keras")
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert any(name.startswith("tensorflow") for name in found)


def test_another_backend_than_the_running_one_is_refused(monkeypatch):
    import keras

    for name in ("KERAS_BACKEND", "XLA_FLAGS"):
        monkeypatch.setenv(name, "")
    other = "jax" if keras.backend.backend() == "tensorflow" else "tensorflow"
    with pytest.raises(ModelError, match="start a new process"):
        backend.configure(other, 2)


@pytest.mark.parametrize(
    ("installed", "flagged"), [("0.8.0", 0), ("0.12.0.1", 1), ("1.0.0", 0), ("", 0)]
)
def test_xla_gets_a_flag_only_if_it_knows_it(installed, flagged):
    assert len(backend.bfloat16_flags(installed)) == flagged


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("flags : fpu avx2", False),
        ("flags : fpu avx512_bf16", True),
        ("Features : fp asimd bf16 sve", True),
        ("Features : fp asimd", False),
        ("nothing of the kind", False),
    ],
)
def test_instructions_for_bfloat16_are_read_from_the_processor(tmp_path, text, known):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{text}\n", encoding="utf-8")
    assert backend.computes_bfloat16(tmp_path / "cpuinfo") is known
    assert not backend.computes_bfloat16(tmp_path / "absent")
