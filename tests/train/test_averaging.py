from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facial_expression.train.averaging import averaged

STEPS = arrays(np.float32, (6, 4), elements=st.floats(-100, 100, width=32))


@given(STEPS, st.floats(0, 0.99))
def test_the_average_is_that_of_a_naive_loop(steps, decay):
    average: list[np.ndarray] = []
    expected = steps[0].astype(np.float64)
    for step, value in enumerate(steps):
        average = averaged(average, [value], decay)
        if step:
            for i in range(4):
                expected[i] = decay * expected[i] + (1 - decay) * float(value[i])
    np.testing.assert_allclose(average[0], expected, atol=1e-3)
    assert average[0].dtype == np.float32


def test_no_decay_takes_the_newest():
    new = np.array([3.0, 4.0], np.float32)
    np.testing.assert_array_equal(averaged([np.zeros(2, np.float32)], [new], 0)[0], new)


@pytest.mark.parametrize("dtype", [np.uint32, np.int64])
def test_the_state_of_a_generator_is_not_averaged(dtype):
    new = np.array([7, 9], dtype)
    np.testing.assert_array_equal(averaged([np.array([1, 1], dtype)], [new], 0.9)[0], new)


def test_the_values_given_stay_as_they_are():
    value = np.ones(3, np.float32)
    average = averaged([], [value], 0.5)
    average = averaged(average, [value * 3], 0.5)
    np.testing.assert_array_equal(value, 1)
    np.testing.assert_array_equal(average[0], 2)
