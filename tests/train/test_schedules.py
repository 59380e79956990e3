from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.train.schedules import SCHEDULES, WARM_UP, constant, cosine, triangular


@given(st.floats(0, 1))
def test_the_triangle_is_the_line_between_its_three_corners(progress):
    expected = np.interp(progress, [0.0, WARM_UP, 1.0], [0.0, 1.0, 0.0])
    assert triangular(progress) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 1000))
def test_the_cosine_is_keras_own(step):
    theirs = keras.optimizers.schedules.CosineDecay(0.0, 950, warmup_target=1.0, warmup_steps=50)
    assert cosine(step / 1000) == pytest.approx(float(theirs(step)), abs=1e-5)  # theirs: float32


@given(st.floats(0, 1))
def test_the_constant_stays(progress):
    assert constant(progress) == 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_stays_within_its_peak(name):
    shares = [SCHEDULES[name](progress) for progress in np.linspace(0, 1, 101)]
    assert min(shares) >= 0
    assert max(shares) == pytest.approx(1)
