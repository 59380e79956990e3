from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.index import ferplus, votes
from facial_expression.index.ferplus import CLASSES, FOLDERS, label, relabelled
from facial_expression.index.table import Row

RULES = replace(FOLDERS, source="ferplus")
NAMES = [*CLASSES, "unknown", "not a face"]


@st.composite
def cast(draw):
    """Ten votes (or a few less) over ten columns, ties and single votes included."""
    columns = draw(st.lists(st.integers(0, 9), min_size=1, max_size=5))  # few: votes gather
    choices = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=10))
    counts = Counter(choices)
    return tuple(counts[i] for i in range(10))


def reference_majority(counts):
    """The rule in words: strike single votes; a name with more than half of the rest wins."""
    ballots = [name for name, n in zip(NAMES, counts, strict=True) for _ in range(n) if n >= 2]
    winners = [name for name in NAMES if Fraction(ballots.count(name), len(ballots) or 1) > 0.5]
    return winners[0] if winners else None


def reference_distribution(counts):
    """The published loop in other words: take the tallest pile again and again; {name: votes}."""
    piles = {name: n for name, n in zip(NAMES, counts, strict=True) if n >= 2}
    total = sum(piles.values())
    kept: dict[str, int] = {}
    seen = steps = 0
    going = True
    while going and Fraction(seen) < Fraction(3, 4) * total and steps < 3:
        tallest = max(piles.values())
        for name in [n for n in NAMES if piles.get(n) == tallest]:
            kept[name] = piles.pop(name)
            seen += tallest
            steps += 1
            if name in NAMES[8:]:
                going = False
                if len(kept) > 1:
                    del kept[name]
                    steps -= 1
                break
    return kept if steps <= 3 and 2 * sum(kept.values()) > total else {}


def as_dict(counts):
    return {name: n for name, n in zip(NAMES, counts, strict=True) if n}


@given(cast())
def test_majority_is_the_published_rule(counts):
    kept = as_dict(ferplus.majority(counts))
    winner = reference_majority(counts)
    assert kept == ({winner: counts[NAMES.index(winner)]} if winner else {})


@given(cast())
def test_distribution_is_the_published_rule(counts):
    assert as_dict(ferplus.distribution(counts)) == reference_distribution(counts)


@given(cast())
def test_a_class_with_a_majority_leads_the_distribution_and_the_plain_count(counts):
    name = label(counts, RULES, "val").name
    if name:
        soft = replace(RULES, targets="distribution")
        plain = replace(RULES, filter="none")
        assert label(counts, soft, "train").name == name
        assert label(counts, plain, "train").name == name


def votes_of(**named: int) -> tuple[int, ...]:
    return tuple(named.get(column, 0) for column in votes.COLUMNS)


@pytest.mark.parametrize(
    ("counts", "changed", "expected"),
    [
        (votes_of(happiness=6, sadness=4), {}, "happy"),
        (votes_of(sadness=5, anger=5), {}, "no majority"),
        (votes_of(sadness=5, anger=5), {"filter": "none"}, "sad"),  # the first of equals
        (votes_of(anger=4, sadness=3, fear=1, disgust=1, unknown=1), {}, "angry"),  # 4 of 7
        (votes_of(anger=4, sadness=3, fear=1, disgust=1, unknown=1), {"filter": "none"}, "angry"),
        (votes_of(contempt=8, happiness=2), {}, "contempt"),
        (votes_of(unknown=7, fear=3), {}, "unknown"),
        (votes_of(NF=10), {}, "not a face"),
        (votes_of(NF=10), {"filter": "none"}, "not a face"),
        (votes_of(), {}, "no votes"),
        (None, {"filter": "none"}, "no votes"),
    ],
)
def test_a_picture_has_a_class_or_a_reason(counts, changed, expected):
    found = label(counts, replace(RULES, **changed), "train")
    assert (found.name or found.reason) == expected
    assert bool(found.name) != bool(found.reason)


def test_contempt_is_the_eighth_class():
    counts = votes_of(contempt=8, happiness=2)
    found = label(counts, replace(RULES, classes=8), "val")
    assert found == ("contempt", (0, 0, 0, 0, 0, 0, 0, 8), "")
    soft = replace(RULES, targets="distribution")
    counts = votes_of(contempt=4, happiness=6)
    assert label(counts, soft, "train").votes == (0, 6, 0, 0, 0, 0, 0)
    assert label(counts, replace(soft, classes=8), "train").votes == (0, 6, 0, 0, 0, 0, 0, 4)


def test_distributions_are_for_training_only():
    soft = replace(RULES, targets="distribution")
    counts = votes_of(sadness=5, anger=5)
    assert label(counts, soft, "train").votes == (0, 0, 0, 5, 5, 0, 0)
    assert {label(counts, soft, split).reason for split in ("val", "test")} == {"no majority"}


def row(path: str, split: str, reason: str = "") -> Row:
    return Row(path, "angry", split, "00", 48, 48, "L", 0.0, 0.0, "", reason)


def test_rows_get_classes_and_reasons_in_every_split_and_votes_with_soft_targets_only():
    rows = [row("a", "train"), row("b", "val"), row("c", "test"), row("d", "train", "undecodable")]
    table = {"a": votes_of(fear=6, surprise=4), "b": votes_of(unknown=9), "d": votes_of(fear=9)}
    hard = relabelled(rows, RULES, table)
    assert [(r.label, r.dropped_because) for r in hard] == [
        ("fear", ""),
        ("", "unknown"),
        ("", "no votes"),
        ("fear", "undecodable"),
    ]
    assert {r.votes for r in hard} == {""}
    soft = relabelled(rows, replace(RULES, targets="distribution"), table)
    assert [r.votes for r in soft] == ["surprise:4 fear:6", "", "", ""]


def test_the_labels_are_described_by_source_and_rules():
    assert FOLDERS.described() == {"labels": "folders"}
    assert replace(RULES, sha256="00").described() == {
        "labels": "ferplus",
        "ferplus": {
            "votes_sha256": "00",
            "targets": "majority",
            "classes": 7,
            "filter": "published",
        },
    }


@pytest.mark.fer2013
def test_the_real_votes_give_the_counts_that_the_protocol_states(ferplus_csv: Path):
    """docs/protocol.md; 35,271 pictures have a class among the seven without a filter."""
    with ferplus_csv.open(encoding="utf-8") as stream:
        paths = [line.split(",")[0] for line in stream][1:]
    table = votes.read(ferplus_csv, paths)
    found = {
        (kind, count): Counter(
            label(table.get(path), replace(RULES, filter=kind, classes=count), "val").reason
            for path in paths
        )
        for kind in ("none", "published")
        for count in (7, 8)
    }
    assert found["none", 7] == {
        "": 35_271,
        "contempt": 216,
        "unknown": 222,
        "no votes": 175,
        "not a face": 3,
    }
    assert found["none", 8][""] == 35_271 + 216
    assert found["published", 7] == {
        "": 31_263,
        "no majority": 4_200,
        "no votes": 175,
        "contempt": 148,
        "unknown": 99,
        "not a face": 2,
    }
    assert found["published", 8][""] == 31_263 + 148
