import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.export.parity import DECISIVE, LIMIT, parity


def rows(seed: int, n: int = 50, classes: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), n)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, LIMIT, 2 * LIMIT, 0.1]))
def test_it_agrees_with_a_naive_loop(seed, size):
    expected = rows(seed)
    found = expected + np.random.default_rng(seed + 1).uniform(-size, size, expected.shape)
    decisive = other = 0
    for before, after in zip(expected, found, strict=True):
        best, second = sorted(before)[-1], sorted(before)[-2]
        if best - second > DECISIVE:
            decisive += 1
            other += list(before).index(best) != list(after).index(max(after))
    result = parity(expected, found)
    assert (result.n, result.decisive, result.other_class) == (50, decisive, other)
    largest = max(abs(a - b) for a, b in zip(expected.ravel(), found.ravel(), strict=True))
    assert result.largest_difference == pytest.approx(largest)
    assert result.holds == (other == 0 and largest <= LIMIT)


def test_a_near_tie_may_turn_but_a_clear_answer_may_not():
    tie = np.array([[0.3, 0.35, 0.35]])
    assert parity(tie, tie + [[0, -4e-5, 4e-5]]).holds
    clear = np.array([[0.2, 0.5, 0.3]])
    assert not parity(clear, clear[:, [0, 2, 1]]).holds
    assert parity(clear, clear[:, [0, 2, 1]]).other_class == 1
