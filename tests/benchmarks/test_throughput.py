import pytest

from benchmarks.measuring import apart
from benchmarks.throughput import Combination, measure
from facial_expression.train import models


@pytest.mark.slow
def test_a_network_is_measured_in_a_process_of_its_own():
    speed = apart(measure, Combination("small", "tensorflow", "mixed_bfloat16"), 48, 4, 2, 0)
    assert speed.parameters == models.build("small", 48, 7).count_params()
    assert speed.training > 0
    assert speed.inference > 0
