from __future__ import annotations

from typing import Any

from benchmarks.throughput import (
    HEADER,
    Combination,
    Options,
    Speed,
    apart,
    measure,
    pace,
    row,
)
from facial_expression.train import models

OPTIONS = Options(side=48, batch=4, threads=2, seconds=0)


def test_pace_warms_up_and_takes_a_few_steps_at_least() -> None:
    calls: list[None] = []
    assert pace(lambda: calls.append(None), pictures=8, seconds=0) > 0
    assert len(calls) > 3


def test_a_network_is_measured_in_a_process_of_its_own() -> None:
    speed = apart(measure, Combination("small", "tensorflow", "mixed_bfloat16"), OPTIONS)
    assert speed.parameters == models.build("small", 48, 7).count_params()
    assert speed.training > 0
    assert speed.inference > 0


def test_a_row_holds_size_median_and_range() -> None:
    runs = [Speed(rate, 4 * rate, 4_232_199, 217_800_000) for rate in (100.0, 90.4, 95.0)]
    cells: dict[str, Any] = dict(
        zip(HEADER, row(Combination("seed", "tensorflow", "float32"), runs), strict=True)
    )
    assert cells["network"] == "seed"
    assert cells["parameters"] == "4,232,199"
    assert cells["training (pictures/s)"] == "95 (90 to 100)"
