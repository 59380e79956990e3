"""The recipes in conf/recipe: complete, so that DVC's -S can override each of their values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from facial_expression.core.errors import ParameterError
from facial_expression.core.files import write_json
from facial_expression.core.params import load
from facial_expression.network.recipe import Augmentation, Recipe
from facial_expression.train.models import BUILDERS
from tests.clones import ROOT

RECIPES = sorted((ROOT / "conf/recipe").glob("*.yaml"))
OTHER = {  # another valid value for each text
    "model": "seed",
    "backend": "jax",
    "precision": "float32",
    "name": "adam",
    "schedule": "constant",
    "flip": "random",
    "weights": "data/initial.keras",
    "sha256": "0" * 64,
    "monitor": "val_loss",
    "keep": "best",
}
INTEGERS = ("threads", "seed", "epochs", "batch_size")
SECOND = {
    "model": "small",
    "precision": "mixed_bfloat16",
    "name": "muon",
    "schedule": "triangular",
    "flip": "none",
    "weights": "data/other.keras",
    "monitor": "val_accuracy",
    "keep": "last",
}


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def another(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return OTHER[key] if value != OTHER[key] else SECOND[key]
    return value + 1 if key in INTEGERS else value / 3 + 0.05


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_value_of_a_recipe_can_be_overridden(path: Path, tmp_path: Path) -> None:
    recipe = load(path, "train", Recipe)
    assert recipe.model in BUILDERS
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for leaf in leaves(document["train"]):
        changed = deepcopy(document)
        holder = changed["train"]
        for key in leaf[:-1]:
            holder = holder[key]
        holder[leaf[-1]] = another(leaf[-1], holder[leaf[-1]])
        write_json(tmp_path / "changed.yaml", changed)
        assert load(tmp_path / "changed.yaml", "train", Recipe) != recipe, leaf
        del holder[leaf[-1]]
        write_json(tmp_path / "changed.yaml", changed)
        with pytest.raises(ParameterError, match=rf"'train\.{'.'.join(leaf)}' is missing"):
            load(tmp_path / "changed.yaml", "train", Recipe)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_begins_with_command_time_and_expected_score(path: Path) -> None:
    head = path.read_text(encoding="utf-8").partition("\ntrain:")[0]
    assert all(line.startswith("#") for line in head.strip().splitlines())
    for word in ("Command", "Time", "Expected"):
        assert f"\n# {word:<10}" in head
    assert path.stem == "sample" or f"recipe={path.stem}" in head


@pytest.mark.parametrize(
    "wrong",
    [
        {"flip": "sometimes"},
        {"shift": -1.0},
        {"scale": 1.0},
        {"rotation": 181.0},
        {"erasing": 1.1},
        {"brightness": math.inf},
        {"mixup": math.nan},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    off: dict[str, Any] = dict.fromkeys(Augmentation.__dataclass_fields__, 0.0) | {"flip": "none"}
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Augmentation(**(off | wrong))
