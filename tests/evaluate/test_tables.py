import numpy as np
import pytest

from facial_expression.evaluate.tables import LEAK_FREE, split_scores, tables, trust
from facial_expression.metrics.intervals import intervals
from facial_expression.metrics.scores import headline
from tests.metrics.cases import calibrated, sharpened

LABELS, PROBABILITIES = calibrated(200, 3, seed=0)
CLASSES = ["angry", "happy", "sad"]
CLEAN = np.arange(200) % 4 > 0
CALIBRATED = sharpened(PROBABILITIES, 0.5)


def test_a_split_has_its_plain_score_with_intervals_its_means_and_its_leak_free_part():
    flat = np.full_like(PROBABILITIES, 1 / 3)
    found = split_scores("val", LABELS, {"plain": PROBABILITIES, "flip": flat}, CLEAN)
    part = LABELS[CLEAN], PROBABILITIES[CLEAN]
    alone = headline(*part) | intervals(*part)
    assert found == {
        "val": headline(LABELS, PROBABILITIES) | intervals(LABELS, PROBABILITIES),
        "val_flip": headline(LABELS, flat),
        "val_leak_free": {name: alone[name] for name in LEAK_FREE},
    }
    assert found["val_leak_free"]["n"] == 150


def test_train_has_its_plain_score_and_no_leak_free_row_means_no_entry():
    means = {"plain": PROBABILITIES}
    assert split_scores("train", LABELS, means, CLEAN) == {"train": headline(LABELS, PROBABILITIES)}
    assert list(split_scores("test", LABELS, means, np.zeros(200, bool))) == ["test"]


def test_the_table_of_reliability_holds_the_errors_of_the_metrics():
    bins = tables(LABELS, PROBABILITIES, CALIBRATED, 2.0, CLASSES)["reliability"]
    calibration = trust(LABELS, PROBABILITIES, CALIBRATED, 2.0)["calibration"]
    assert (calibration["temperature"], calibration["fitted_on"]) == (2.0, "val")
    for (when, temperature, binning), part in bins.groupby(["when", "temperature", "binning"]):
        assert temperature == {"before": 1.0, "after": 2.0}[when]
        assert part["n"].sum() == 200
        error = (part["n"] * (part["accuracy"] - part["confidence"]).abs()).sum() / 200
        assert error == pytest.approx(calibration[when][f"ece_{binning}"])
    assert bins.groupby(["when", "binning"]).ngroups == 4
