"""The examples in docstrings give what they say."""

import doctest
import importlib

import numpy as np
import pytest
from PIL import Image

from facial_expression.core.errors import EXTRAS
from tests.clones import ROOT
from tests.helpers import make_video
from tools.web import examples

PACKAGES = ("benchmarks", "facial_expression", "stages", "tools")
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_say(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        pytest.skip(f"{error.name} of the extra {EXTRAS[error.name]} is not installed")
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.pipeline
def test_the_page_on_python_gives_what_it_says(pulled, tmp_path, monkeypatch):
    face = examples.draw()["happy"]
    (tmp_path / "face.png").write_bytes(face)
    pixels = np.asarray(Image.open(tmp_path / "face.png").convert("RGB"))
    make_video(tmp_path / "clip.mp4", 3 * [pixels], "mpeg4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "facial_expression.inference.released.CLONE", pulled / "released/expression.onnx"
    )
    found = doctest.testfile(str(ROOT / "docs/python.md"), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0
