"""The file of a sweep, checked: each value that it can draw is one that the recipe takes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from facial_expression.core.errors import ParameterError
from facial_expression.core.params import CLOSED, checked, load, read_yaml
from facial_expression.network.recipe import Count, Recipe

if TYPE_CHECKING:
    from optuna import Trial

Value = bool | int | float | str
Number = int | float
Seconds = Annotated[int, Field(ge=1, le=86_400)]
AtLeast0 = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=CLOSED)
class Parameter:
    """One of `choices`, or a number from `low` to `high`: whole if both of them are."""

    choices: tuple[Value, ...] = ()
    low: Number | None = None
    high: Number | None = None
    log: bool = False  # draw evenly between the logarithms
    step: Annotated[Number, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        low, high = self.low, self.high
        if self.choices:
            if (low, high, self.log, self.step) != (None, None, False, None):
                raise ValueError("expected choices or a range, not both")
        elif low is None or high is None:
            raise ValueError("expected choices, or low and high")
        elif low >= high or (self.log and low <= 0):
            raise ValueError(f"expected low below high{', above 0 for log' * self.log}")
        elif self.log and self.step:
            raise ValueError("expected log or a step, not both")
        elif self.whole and isinstance(self.step, float):
            raise ValueError("expected a whole step between whole bounds")
        return self

    @property
    def whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def ends(self) -> list[Value]:
        """The choices or the bounds: if the recipe takes these, it takes all that is drawn."""
        return [value for value in (*self.choices, self.low, self.high) if value is not None]

    def draw(self, trial: Trial, key: str) -> Value:
        """The value of a trial, chosen by Optuna."""
        drawn: Any
        if self.choices:
            drawn = trial.suggest_categorical(key, self.choices)
        else:
            suggest: Any = trial.suggest_int if self.whole else trial.suggest_float
            step = self.step or (1 if self.whole else None)
            drawn = suggest(key, self.low, self.high, log=self.log, step=step)
        return drawn


@dataclass(frozen=True, config=CLOSED)
class Pruning:
    """When a trial is given up: Optuna's MedianPruner."""

    after_trials: AtLeast0
    after_epochs: AtLeast0


@dataclass(frozen=True, config=CLOSED)
class Sweep:
    """Section `sweep` of conf/sweep/*.yaml."""

    recipe: str
    trials: Count  # that have finished in any way, of all processes together
    heartbeat: Seconds
    pruning: Pruning
    space: Annotated[dict[str, Parameter], Field(min_length=1)]


def read(path: Path) -> Sweep:
    """Read the file of a sweep.

    Raises:
        ParameterError: a value is wrong, there is no such recipe or leaf in it, or the recipe does
            not take an end of a range or a choice.
    """
    sweep = load(path, "sweep", Sweep)
    recipe = path.parent.parent / "recipe" / f"{sweep.recipe}.yaml"
    document = read_yaml(recipe)
    where = f"{path}: sweep.space for {recipe.name}"
    for key, parameter in sweep.space.items():
        for value in parameter.ends():
            changed = varied(document, {key: value}, where)
            checked(changed["train"], "train", Recipe, f"{path}: sweep.space")
    return sweep


def varied(document: Mapping[str, Any], change: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A recipe, or its file, with other values for some of its dotted keys.

    >>> varied({"epochs": 8, "optimizer": {"name": "muon"}}, {"optimizer.name": "adam"}, "mine")
    {'epochs': 8, 'optimizer': {'name': 'adam'}}

    A ParameterError, which names `where`, if there is no such key, or it is a whole section.
    """
    changed = copy.deepcopy(dict(document))
    for key, value in change.items():
        holder: Any = changed
        *groups, leaf = key.split(".")
        for group in groups:
            holder = holder.get(group) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or isinstance(holder.get(leaf, {}), dict):
            what = "the dotted key of a value in the recipe"
            raise ParameterError.expected(where, what, f"'{key}'", "correct or remove it")
        holder[leaf] = value
    return changed
