"""A few hundred damaged files; `python -m benchmarks.fuzz` tries more."""

import pytest

from benchmarks.fuzz import fuzz
from facial_expression.network.backend import configure


@pytest.mark.parametrize(
    ("seed", "cases"), [(0, 150), (1, 150), pytest.param(2, 3000, marks=pytest.mark.slow)]
)
def test_whatever_is_damaged_the_end_is_a_result_or_one_line(pulled, seed, cases):
    configure("tensorflow", 2)
    ends = fuzz(pulled / "data", cases, seed)
    faults = ends[~ends["end"].isin(["read", "refused"])]
    assert faults.empty, faults.to_string()
    assert (ends["end"] == "refused").sum() > 50
    assert (ends["end"] == "read").any()
