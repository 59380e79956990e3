"""The file of a sweep, before anything is drawn from it."""

import pytest
import yaml

from facial_expression.core.errors import ParameterError
from tests.clones import ROOT
from tests.helpers import one_line
from tools.sweep.space import read
from tools.sweep.trial import overrides

RATE = "train.optimizer.learning_rate"


@pytest.fixture
def written(tmp_path):
    """A function that writes conf/sweep/sample.yaml with changes, beside the recipe's file."""
    recipe = tmp_path / "recipe" / "sample.yaml"
    recipe.parent.mkdir()
    recipe.write_bytes((ROOT / "conf/recipe/sample.yaml").read_bytes())
    document = yaml.safe_load((ROOT / "conf/sweep/sample.yaml").read_text("utf-8"))

    def write(**changes):
        document["sweep"].update(changes)
        path = tmp_path / "sweep" / "mine.yaml"
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("path", sorted((ROOT / "conf/sweep").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_sweeps_of_the_repository_are_sound(path):
    assert read(path).space


def test_whole_bounds_mean_whole_numbers(written):
    space = {"train.epochs": {"low": 2, "high": 9}, RATE: {"low": 1.0, "high": 2.0}}
    sweep = read(written(space=space))
    assert sweep.space["train.epochs"].whole
    assert not sweep.space[RATE].whole


@pytest.mark.parametrize(
    ("key", "values", "parts"),
    [
        (RATE, {"low": -1.0, "high": 1.0}, [RATE, "greater than 0", "-1"]),
        (RATE, {"low": 0.1, "high": 0.01}, [RATE, "low below high"]),
        (RATE, {"low": 0, "high": 1, "log": True}, [RATE, "above 0"]),
        (RATE, {"low": 0.1}, [RATE, "expected choices, or low and high"]),
        (RATE, {"choices": [0.1], "low": 0.1}, [RATE, "not both"]),
        (RATE, {"low": 0.1, "high": 1.0, "log": True, "step": 0.1}, ["log or a step"]),
        (RATE, {"low": "a", "high": 1.0}, [RATE, "'a'"]),
        (RATE, {"low": 0.1, "high": 1.0, "steps": 3}, ["unknown", "steps"]),
        ("train.epochs", {"low": 1.0, "high": 3.0}, ["train.epochs", "integer", "1.0"]),
        ("train.epochs", {"low": 1, "high": 9, "step": 0.5}, ["whole step"]),
        ("train.schedule", {"choices": ["constant", "cosine"]}, ["schedule", "'cosine'"]),
        ("train.rate", {"choices": [1]}, ["found 'train.rate'", "sample.yaml"]),
        ("train.optimizer", {"choices": [1]}, ["found 'train.optimizer'"]),
        ("train.epochs.more", {"choices": [1]}, ["found 'train.epochs.more'"]),
    ],
)
def test_what_the_recipe_does_not_take_is_named_in_one_line(written, key, values, parts):
    path = written(space={key: values})
    with pytest.raises(ParameterError, match=one_line(str(path), "sweep.space", *parts)):
        read(path)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"space": {}}, ["sweep.space"]),
        ({"trials": 0}, ["sweep.trials", "0"]),
        ({"recipe": "fats"}, ["fats.yaml", "No such file"]),
        ({"patience": 3}, ["unknown", "sweep.patience"]),
    ],
)
def test_other_mistakes_are_named_in_one_line(written, changes, parts):
    with pytest.raises(ParameterError, match=one_line(*parts)):
        read(written(**changes))


def test_values_reach_dvc_as_they_are_typed(written):
    sweep = read(written())
    drawn = {RATE: 1e-05, "train.augmentation.flip": "none", "train.epochs": 3}
    assert overrides(sweep, drawn)[1::2] == [
        "recipe=sample",
        f"conf/recipe/sample.yaml:{RATE}=1e-05",
        'conf/recipe/sample.yaml:train.augmentation.flip="none"',
        "conf/recipe/sample.yaml:train.epochs=3",
    ]
