import json

import numpy as np
import pytest

from benchmarks import time_to_accuracy
from benchmarks.timed_fit import score
from facial_expression.core.arrays import Split
from facial_expression.core.errors import ParameterError
from facial_expression.core.files import write_json
from facial_expression.core.labels import FER2013_IDS
from facial_expression.train import models
from tests.helpers import make_split


def test_scores_of_all_join_the_splits_and_flips_are_averaged():
    rng = np.random.default_rng(0)

    def predict(images: np.ndarray) -> np.ndarray:
        """Says that the brighter half of a picture is its class."""
        left, right = images[:, :, :2].mean(axis=(1, 2)), images[:, :, 2:].mean(axis=(1, 2))
        return np.stack([left, right], axis=1) / (left + right)[:, None]

    splits = {}
    for name, count in (("val", 30), ("test", 50)):
        images = rng.integers(1, 256, (count, 4, 4), dtype=np.uint8)
        splits[name] = Split(images, rng.integers(0, 2, count), [""] * count, images[:, 0, 0] > 0)
    scores = score(predict, splits)
    assert list(scores) == ["val", "val_flip", "test", "test_flip", "all", "all_flip"]
    joined = (30 * scores["val"]["accuracy"] + 50 * scores["test"]["accuracy"]) / 80
    assert scores["all"]["accuracy"] == pytest.approx(joined)
    # a picture and its mirror image say opposite things: every average is a tie, won by class 0
    zeros = np.mean(np.concatenate([split.labels for split in splits.values()]) == 0)
    assert scores["all_flip"]["accuracy"] == pytest.approx(zeros)


@pytest.mark.slow
def test_one_fit_in_a_process_of_its_own_is_timed_and_scored(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 96), ("val", 20), ("test", 10)):
        pictures = rng.integers(0, 256, (count, 48, 48), dtype=np.uint8)
        make_split(tmp_path, split, pictures, rng.integers(0, 7, count))
    write_json(tmp_path / "classes.json", sorted(FER2013_IDS))
    options = ["--recipes=sample", "--epochs=sample=2", "--seeds=3", "--test"]
    time_to_accuracy.main([str(tmp_path), *options, f"--out={tmp_path}"])
    figures = json.loads((tmp_path / "time_to_accuracy.json").read_text(encoding="utf-8"))
    (found,) = figures["runs"]["sample"]
    assert found["recipe"]["seed"] == 3
    assert found["planned_epochs"] > found["recipe"]["epochs"] == len(found["epochs"]) == 2
    assert 0 < found["building"] + sum(found["epochs"]) <= found["seconds"]
    assert found["parameters"] == models.build("small", 48, 7).count_params()
    assert [found["scores"][name]["n"] for name in ("val", "test", "all")] == [20, 10, 30]
    assert "2 of 20" in (tmp_path / "time_to_accuracy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["seed", "seed=0", "seed=two", "fast=2"])
def test_epochs_are_told_by_recipe(text):
    assert time_to_accuracy.read_epochs(["seed=2"], ["seed"]) == {"seed": 2}
    with pytest.raises(ParameterError, match=f"NAME=N .* found '{text}'"):
        time_to_accuracy.read_epochs([text], ["seed"])
