"""The examples in docstrings give what they say."""

import doctest
import importlib

import pytest

from facial_expression.core.errors import EXTRAS
from tests.clones import ROOT

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
