from __future__ import annotations

import numpy as np
from keras import ops

from facial_expression.evaluate.gradients import gradient


def test_gradient_is_that_of_calculus():
    at = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    found = gradient(lambda x: ops.sum(ops.sin(x) * x), at)
    np.testing.assert_allclose(found, np.cos(at) * at + np.sin(at), atol=1e-6)
    assert found.dtype == np.float32
