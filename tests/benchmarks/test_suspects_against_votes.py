from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.suspects_against_votes import compare, contradiction_rates, most_voted
from facial_expression.core.errors import DatasetError

VOTES = """path,fer2013_row,neutral,happiness,anger,NF
a,1,2,7,1,0
b,2,5,5,0,0
c,3,0,0,0,10
d,4,0,1,9,0
e,,,,,
"""


def test_votes_are_counted_under_our_names(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(VOTES, encoding="utf-8")
    winners = most_voted(path)
    assert winners == {"a": {"happy"}, "b": {"neutral", "happy"}, "c": {"NF"}, "d": {"angry"}}
    labels = {"a": "happy", "b": "neutral", "c": "neutral", "d": "happy", "e": "happy"}
    rates = contradiction_rates(labels, winners)
    assert rates == {"": 0.5, "happy": 0.5, "neutral": 0.5}
    suspects = [
        {"path": "d", "label": "happy", "suggested": "angry"},
        {"path": "e", "label": "happy", "suggested": "angry"},
        {"path": "b", "label": "neutral", "suggested": "happy"},
        {"path": "c", "label": "neutral", "suggested": "angry"},
    ]
    rows = list(compare(suspects, winners, rates, (1, 3, 25)))
    assert rows == [(1, 1, 1.0, 0.5, 1.0), (3, 2, 0.5, 0.5, 1.0), (4, 3, 2 / 3, 0.5, 2 / 3)]
    with pytest.raises(DatasetError, match="for the 1 training pictures, found none"):
        contradiction_rates({"e": "happy"}, winners)
