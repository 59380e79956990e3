from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from benchmarks import ablations
from benchmarks.ablations import Ingredient, compared, table, varied
from benchmarks.time_to_accuracy import find_recipe
from facial_expression.core.errors import ParameterError, TrainingError
from facial_expression.core.params import load
from facial_expression.network.recipe import Recipe
from tests.train.recipes import RECIPE

BASELINE = asdict(RECIPE)
SMOOTHING = Ingredient("smoothing", {"label_smoothing": 0.1}, "better", kept=False)


def a_run(change: dict[str, Any], seed: int, hits: np.ndarray, cpu: float = 10.0) -> Any:
    return {
        "recipe": varied(BASELINE, change | {"seed": seed}, "here"),
        "scores": {"val": {"n": len(hits), "accuracy": hits.mean(), "macro_f1": hits.mean() / 2}},
        "val_hits": np.packbits(hits).tobytes().hex(),
        "cpu": cpu,
    }


def random_hits(seed: int, pictures: int = 101) -> np.ndarray:
    return np.random.default_rng(seed).random(pictures) < 0.6


def test_the_error_of_one_pair_is_mcnemars():
    ours, theirs = random_hits(0), random_hits(1)
    difference, error = compared([a_run({}, 0, ours)], [a_run({}, 0, theirs)])
    count, gained, lost = len(ours), sum(ours & ~theirs), sum(theirs & ~ours)
    assert difference == pytest.approx(100 * (gained - lost) / count)
    variance = (gained + lost - (gained - lost) ** 2 / count) / (count * (count - 1))
    assert error == pytest.approx(100 * variance**0.5)


def test_each_change_of_the_fast_recipe_is_another_recipe():
    ingredients = load(ablations.FILE, "fast", ablations.Ablations).ingredients
    changes = ablations.chosen(ingredients, None)
    assert len(changes) == len(ingredients) + 1  # no name twice, and the baseline
    found = ablations.recipes(asdict(find_recipe("fast")), changes)
    assert len({str(recipe) for recipe in found.values()}) == len(changes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"label_smoothing": 0}, "found the same"), ({"label_smoothing": 2}, "label_smoothing.*2")],
)
def test_a_change_that_is_none_is_refused(change, reason):
    with pytest.raises(ParameterError, match=f"^'smoothing': .*{reason}"):
        ablations.recipes(BASELINE, {"smoothing": change})


def test_what_is_there_is_not_fitted_again_and_a_failure_stops_nothing(
    tmp_path, capsys, monkeypatch
):
    fitted = []

    def apart(_: Any, recipe: Recipe, *rest: Any) -> Any:
        fitted.append(recipe.optimizer.learning_rate)
        if recipe.optimizer.learning_rate == 1e30:
            raise TrainingError("the loss is nan")
        return a_run({}, recipe.seed, random_hits(recipe.seed))

    monkeypatch.setattr(ablations, "apart", apart)
    out = tmp_path / "out.json"
    changes: dict[str, Any] = {"huge": {"optimizer.learning_rate": 1e30}, "baseline": {}}
    assert ablations.measure(tmp_path, BASELINE, changes, [3], out) == 1
    assert "huge, seed 3: error" in capsys.readouterr().err
    before = out.read_bytes()
    assert ablations.measure(tmp_path, BASELINE, {"baseline": {}}, [3], out) == 0
    assert fitted == [1e30, RECIPE.optimizer.learning_rate]
    assert out.read_bytes() == before
    assert "| baseline |" in table(ablations.read(out), [SMOOTHING])
