from __future__ import annotations

import numpy as np
import pytest

from benchmarks import intervals


def test_it_says_what_each_way_costs(capsys):
    intervals.main(["--rows", "30", "--repeats", "2"])
    said = capsys.readouterr().out
    assert "intervals of all scores, 30 rows, 10,000 draws: CPU " in said
    assert said.count("n = 2") == 4
    assert "2.0 s met" in said or "2.0 s MISSED" in said


def test_labels_follow_the_probabilities_beside_them():
    labels, probabilities = intervals.predictions(20_000)
    found = np.bincount(labels, minlength=7) / 20_000
    np.testing.assert_allclose(found, probabilities.mean(axis=0), atol=0.02)
    likely = probabilities[:, 0] > 0.5
    share = (labels[likely] == 0).mean()
    assert share == pytest.approx(probabilities[likely, 0].mean(), abs=0.05)
