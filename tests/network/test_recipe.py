"""The recipes in conf/recipe: complete, so that DVC's -S can override each of their values."""

import math
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import ValidationError

from facial_expression.core.params import load, read_yaml
from facial_expression.network.recipe import Augmentation, Recipe, Teacher
from facial_expression.train.models import BUILDERS
from tests.clones import ROOT

RECIPES = sorted((ROOT / "conf/recipe").glob("*.yaml"))
each_recipe = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


def leaves(values: dict[str, Any], path: str = "") -> set[str]:
    """The dotted keys of all values."""
    found = set()
    for key, value in values.items():
        found |= leaves(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}"}
    return found


@each_recipe
def test_a_recipe_names_every_parameter(path):
    recipe = load(path, "train", Recipe)
    assert recipe.model in BUILDERS
    assert leaves(read_yaml(path)["train"]) == leaves(asdict(recipe))


@each_recipe
def test_a_recipe_begins_with_command_time_and_expected_score(path):
    head = path.read_text(encoding="utf-8").partition("\ntrain:")[0]
    assert all(line.startswith("#") for line in head.strip().splitlines())
    for word in ("Command", "Time", "Expected"):
        assert f"\n# {word:<10}" in head
    assert path.stem == "sample" or f"recipe={path.stem}" in head


@pytest.mark.parametrize(("weights", "share"), [("", 0.5), ("data/teacher.keras", 0)])
def test_a_teacher_has_weights_and_a_share_or_neither(weights, share):
    with pytest.raises(ValidationError, match="need each other"):
        Teacher(weights=weights, sha256="", classes=(), share=share)


@pytest.mark.parametrize(
    ("name", "value"),
    [("flip", "sometimes"), ("shift", -1.0), ("scale", 1.0), ("rotation", 181.0)]
    + [("erasing", 1.1), ("brightness", math.inf), ("mixup", math.nan)],
)
def test_values_out_of_range_are_refused(name, value):
    off: dict[str, Any] = dict.fromkeys(Augmentation.__dataclass_fields__, 0.0) | {"flip": "none"}
    with pytest.raises(ValidationError, match=name):
        Augmentation(**(off | {name: value}))
