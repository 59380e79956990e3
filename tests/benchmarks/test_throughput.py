from __future__ import annotations

import pytest

from benchmarks import throughput
from benchmarks.network_speed import FEWEST, WARM_UP, measure, pace
from facial_expression.train import models


def test_pace_warms_up_and_takes_a_few_steps_at_least() -> None:
    calls: list[None] = []
    assert pace(lambda: calls.append(None), pictures=8, seconds=0) > 0
    assert len(calls) == WARM_UP + FEWEST


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_network_trains_and_predicts_in_either_precision(precision: str) -> None:
    speed = measure("small", precision, side=48, batch=4, seconds=0)
    assert speed.parameters == models.build("small", 48, 7).count_params()
    assert speed.training > 0
    assert speed.inference > 0


def test_a_row_tells_size_median_and_range() -> None:
    runs = [
        {"training": rate, "inference": 4 * rate, "parameters": 4_232_199, "macs": 217_800_000}
        for rate in (100.0, 90.4, 95.0)
    ]
    combination = throughput.Combination("seed", "tensorflow", "float32")
    assert throughput.row(combination, runs) == [
        "seed",
        "tensorflow",
        "float32",
        "4,232,199",
        "217.8 M",
        "95 (90 to 100)",
        "380 (362 to 400)",
    ]
    assert len(throughput.HEADER) == 7


def test_a_failed_process_ends_with_its_message() -> None:
    combination = throughput.Combination("no such network", "tensorflow", "float32")
    with pytest.raises(SystemExit, match=r"train\.model: expected one of .*'no such network'"):
        throughput.measure(combination, ["--seconds=0"])
