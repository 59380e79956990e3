from __future__ import annotations

import keras
import numpy as np

from benchmarks.step_costs import (
    WHOLE,
    batches,
    milliseconds,
    parts,
    random_split,
    table,
    with_fixed_normalisation,
)
from facial_expression.train import models
from tests.train.recipes import RECIPE


def test_every_part_takes_time_and_stands_in_the_table():
    steps = parts(RECIPE, random_split(2 * RECIPE.batch_size))
    found = milliseconds(steps, rounds=2, each=1)
    assert {len(values) for values in found.values()} == {2}
    assert min(value for values in found.values() for value in values) > 0
    rows = table(found).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(steps)


def test_shares_are_of_the_whole_step():
    text = table({WHOLE: [10.0, 20.0, 30.0], "half": [10.0, 10.0, 10.0]})
    assert "| half | 10.0 (10.0 to 10.0) | 0.50 |" in text
    assert "20.0 (10.0 to 30.0) | 1.00" in text


def test_batches_go_on_after_an_epoch_and_differ():
    endless = batches(RECIPE, random_split(RECIPE.batch_size))
    first, second = next(endless), next(endless)
    assert first.images.shape == second.images.shape
    assert not np.array_equal(first.targets, second.targets)


def test_fixed_normalisation_learns_nothing():
    network = models.build("small", 48, 7)
    learnt = len(network.trainable_variables)
    norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(with_fixed_normalisation(network).trainable_variables) == learnt - 2 * len(norms)
