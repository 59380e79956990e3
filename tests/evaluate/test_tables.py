from __future__ import annotations

import numpy as np
import pytest

from facial_expression.evaluate.tables import (
    leak_free_scores,
    predictions,
    split_scores,
    tables,
    trust,
)
from facial_expression.metrics.calibration import with_temperature
from facial_expression.metrics.intervals import intervals
from facial_expression.metrics.scores import headline
from tests.metrics.cases import calibrated

LABELS, PROBABILITIES = calibrated(200, 3, seed=0)
CLASSES = ["angry", "happy", "sad"]
CLEAN = np.arange(200) % 4 > 0


def test_a_split_has_its_plain_score_with_intervals_its_means_and_its_leak_free_part() -> None:
    flat = np.full_like(PROBABILITIES, 1 / 3)
    found = split_scores("val", LABELS, {"plain": PROBABILITIES, "flip": flat}, CLEAN)
    assert list(found) == ["val", "val_flip", "val_leak_free"]
    assert found["val"] == headline(LABELS, PROBABILITIES) | intervals(LABELS, PROBABILITIES)
    assert found["val_flip"] == headline(LABELS, flat)
    assert found["val_leak_free"]["n"] == 150


def test_the_training_split_has_its_plain_score_alone() -> None:
    found = split_scores("train", LABELS, {"plain": PROBABILITIES}, CLEAN)
    assert found == {"train": headline(LABELS, PROBABILITIES)}


def test_the_leak_free_score_is_that_of_the_rows_without_a_leak() -> None:
    found = leak_free_scores(LABELS, PROBABILITIES, CLEAN)
    ends = ("", "_low", "_high")
    assert list(found) == ["n", *(f"{s}{e}" for s in ("accuracy", "macro_f1") for e in ends)]
    alone = headline(LABELS[CLEAN], PROBABILITIES[CLEAN])
    assert found["accuracy"] == alone["accuracy"] != headline(LABELS, PROBABILITIES)["accuracy"]
    assert found["macro_f1_low"] <= found["macro_f1"] == alone["macro_f1"] <= found["macro_f1_high"]


def test_without_a_leak_free_row_there_is_no_entry_for_those() -> None:
    found = split_scores("test", LABELS, {"plain": PROBABILITIES}, np.zeros(200, bool))
    assert list(found) == ["test"]


def test_trust_says_before_and_after() -> None:
    found = trust(LABELS, PROBABILITIES, 2.0)
    calibration = found["calibration"]
    assert (calibration["temperature"], calibration["fitted_on"]) == (2.0, "val")
    after = headline(LABELS, with_temperature(PROBABILITIES, 2.0))
    assert calibration["before"]["brier"] == headline(LABELS, PROBABILITIES)["brier"]
    assert calibration["after"]["brier"] == pytest.approx(after["brier"])
    assert "aurc" in found["selective"]


def test_the_table_of_reliability_holds_the_errors_of_the_metrics() -> None:
    header, rows = tables(LABELS, PROBABILITIES, 2.0, CLASSES)["reliability"]
    bins = [dict(zip(header, row, strict=True)) for row in rows]
    calibration = trust(LABELS, PROBABILITIES, 2.0)["calibration"]
    for when, temperature in (("before", 1.0), ("after", 2.0)):
        for binning in ("equal_width", "equal_mass"):
            part = [b for b in bins if (b["when"], b["binning"]) == (when, binning)]
            assert {b["temperature"] for b in part} == {temperature}
            assert sum(b["n"] for b in part) == 200
            error = sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in part) / 200
            assert error == pytest.approx(calibration[when][f"ece_{binning}"])


def test_tables_agree_with_one_another() -> None:
    found = tables(LABELS, PROBABILITIES, 1.5, CLASSES)
    assert all(len(row) == len(header) for header, rows in found.values() for row in rows)
    pairs = list(found["confusion"][1])
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    assert sum(count for _, _, count, _ in found["confused_pairs"][1]) == len(wrong) > 0
    assert found["risk_coverage"][1][-1][1] == pytest.approx(len(wrong) / 200)


def test_predictions_name_the_classes() -> None:
    header, rows = predictions(["a", "b"], np.array([2, 0]), np.eye(3)[[1, 0]], CLASSES)
    assert header == ("path", "actual", "predicted", *CLASSES)
    assert list(rows) == [
        ("a", "sad", "happy", 0.0, 1.0, 0.0),
        ("b", "angry", "angry", 1.0, 0.0, 0.0),
    ]
