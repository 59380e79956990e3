from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.files import sha256_of
from facial_expression.index import ferplus
from facial_expression.index.ferplus import CLASSES, COLUMNS, Labels, labelled, read_votes
from tests.index.tables import pictures

RULES = Labels("ferplus", "", "", "majority", 7, "published")
SOFT = replace(RULES, targets="distribution")
NAMES = [*CLASSES, "unknown", "not a face"]


@st.composite
def cast(draw):
    """Ten votes or fewer over ten columns, ties and single votes included."""
    columns = draw(st.lists(st.integers(0, 9), min_size=1, max_size=5))  # few: votes gather
    choices = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=10))
    counts = Counter(choices)
    return tuple(counts[i] for i in range(10))


def reference_majority(counts):
    """The rule in words: strike single votes; a name with more than half of the rest wins."""
    ballots = [name for name, n in zip(NAMES, counts, strict=True) for _ in range(n) if n >= 2]
    winners = [name for name in NAMES if Fraction(ballots.count(name), len(ballots) or 1) > 0.5]
    return {winners[0]: ballots.count(winners[0])} if winners else {}


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


@given(st.lists(cast(), min_size=1, max_size=20))
def test_majority_and_distribution_are_the_published_rules(votes):
    for rule, reference in (
        (ferplus.majority, reference_majority),
        (ferplus.distribution, reference_distribution),
    ):
        for kept, counts in zip(rule(np.array(votes)), votes, strict=True):
            assert {name: n for name, n in zip(NAMES, kept, strict=True) if n} == reference(counts)


def of(**named: int) -> tuple[int, ...]:
    return tuple(named.get(column, 0) for column in COLUMNS)


NONE_FILTER, EIGHT = replace(RULES, filter="none"), replace(RULES, classes=8)
TIE, SPREAD = of(sadness=5, anger=5), of(anger=4, sadness=3, fear=1, disgust=1, unknown=1)


@pytest.mark.parametrize(
    ("counts", "rules", "name", "reason", "votes"),
    [
        (of(happiness=6, sadness=4), RULES, "happy", "", "happy:6"),
        (TIE, RULES, "", "no majority", ""),
        (TIE, NONE_FILTER, "sad", "", "sad:5 angry:5"),  # the first of equals
        (TIE, SOFT, "sad", "", "sad:5 angry:5"),
        (SPREAD, RULES, "angry", "", "angry:4"),  # 4 of 7: single votes do not count
        (SPREAD, NONE_FILTER, "angry", "", "sad:3 angry:4 disgust:1 fear:1"),
        (of(contempt=8, happiness=2), RULES, "", "contempt", ""),
        (of(contempt=8, happiness=2), EIGHT, "contempt", "", "contempt:8"),
        (of(contempt=4, happiness=6), SOFT, "happy", "", "happy:6"),
        (
            *(of(contempt=4, happiness=6), replace(SOFT, classes=8)),
            *("happy", "", "happy:6 contempt:4"),
        ),
        (of(unknown=7, fear=3), RULES, "", "unknown", ""),
        (of(NF=10), RULES, "", "not a face", ""),
        (of(NF=10), NONE_FILTER, "", "not a face", ""),
        (of(), RULES, "", "no votes", ""),
        (of(), NONE_FILTER, "", "no votes", ""),
    ],
)
def test_a_picture_has_a_class_or_a_reason(counts, rules, name, reason, votes):
    found = labelled(np.array([counts]), rules, pd.Series([True]))
    assert found.to_numpy().tolist() == [[name, reason, votes]]


def test_distributions_are_for_training_only():
    assert labelled(np.array([TIE]), SOFT, pd.Series([False]))["reason"].tolist() == ["no majority"]


# The table of votes; a row without an image name is how FER+ marks a lost picture

PUBLISHED = """\
Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0
Training,,0,0,0,0,0,0,0,0,0,10
PublicTest,fer0000001.png,6,0,1,1,0,0,0,0,2,0
"""
JOINED = """\
path,fer2013_row,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
train/angry/Training_1.jpg,0,4,0,0,1,3,2,0,0,0,0
train/sad/Training_2.jpg,,,,,,,,,,,
test/sad/PublicTest_9.jpg,2,6,0,1,1,0,0,0,0,2,0
"""
FIRST, NONE, LAST = (4, 0, 0, 1, 3, 2, 0, 0, 0, 0), (0,) * 10, (6, 0, 1, 1, 0, 0, 0, 0, 2, 0)
MADE = ["train/angry/Training_0.pgm", "train/sad/Training_1.pgm", "test/sad/PublicTest_2.pgm"]
COPIED = ["train/angry/Training_1.jpg", "train/sad/Training_2.jpg", "test/sad/PublicTest_9.jpg"]


@pytest.fixture
def table(tmp_path):
    return tmp_path / "votes.csv"


def read(path, text: str, names: list[str]) -> list[tuple[int, ...]]:
    path.write_bytes(text.encode())
    return [tuple(row) for row in read_votes(path, pd.Series(names)).tolist()]


@pytest.mark.parametrize(
    ("text", "names"), [(PUBLISHED, MADE), (JOINED, COPIED)], ids=["published", "joined"]
)
@pytest.mark.parametrize("change", [str, lambda text: "\ufeff" + text.replace("\n", "\r\n")])
def test_both_forms_are_read_in_the_order_of_the_pictures(table, text, names, change):
    assert read(table, change(text), names) == [FIRST, NONE, LAST]
    assert read(table, change(text), names[::-1]) == [LAST, NONE, FIRST]


def test_a_picture_that_a_joined_table_does_not_list_has_no_votes(table):
    assert read(table, JOINED, ["new.jpg", COPIED[0]]) == [NONE, FIRST]


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("emotion,pixels,Usage\n0,1,Training\n", MADE, "expected the columns Usage,Image name,"),
        ("", MADE, "expected a CSV table"),
        (JOINED, MADE, r"rows for pictures such as 'train/angry/Training_0\.pgm', found none"),
        (PUBLISHED, COPIED, r"pictures such as 'train/angry/Training_1\.j.*whose rows"),
        (PUBLISHED, ["train/sad/Training_2.pgm"], r"pictures such as 'train/sad/Training_2\.pgm'"),
        (PUBLISHED, ["train/sad/Training_3.pgm"], r"pictures such as 'train/sad/Training_3\.pgm'"),
        (JOINED.replace(",3,2,", ",x,2,"), COPIED, "Training_1.jpg: expected 10 counts of votes"),
        (JOINED.replace(",3,2,", ",,2,"), COPIED, "Training_1.jpg: expected 10 counts of votes"),
        (
            JOINED.replace(",0,2,0\n", ",0\n"),
            COPIED,
            "PublicTest_9.jpg: expected 10 counts of votes",
        ),
        (PUBLISHED.replace(",3,2,", ",-3,2,"), MADE, "Training_0: expected 10 counts of votes"),
        (PUBLISHED.replace(",3,2,", ",3,"), MADE, "Training_0: expected 10 counts of votes"),
        (JOINED + JOINED.splitlines()[1], COPIED, "Training_1.jpg is there twice"),
    ],
)
def test_a_table_that_does_not_fit_the_pictures_is_refused_in_one_line(table, text, names, message):
    with pytest.raises(DatasetError, match=message) as caught:
        read(table, text, names)
    assert str(caught.value).startswith(f"{table}: ")


def test_an_undecodable_picture_keeps_its_reason(table):
    table.write_text(JOINED, encoding="utf-8")
    rules = replace(RULES, votes=str(table), sha256=sha256_of(table))
    index = pictures(COPIED, dropped_because=["", "undecodable: x", ""])
    named = ferplus.relabelled(index, rules)
    assert named["class"].tolist() == ["", "", "neutral"]
    assert named["dropped_because"].tolist() == ["no majority", "undecodable: x", ""]


def test_votes_that_are_not_named_are_refused():
    with pytest.raises(ParameterError, match=r"index\.labels\.votes: expected the path .* ''"):
        ferplus.relabelled(pictures(COPIED), RULES)


@pytest.mark.fer2013
def test_the_real_votes_give_the_counts_that_the_protocol_states(ferplus_csv):
    """docs/protocol.md; 35,271 pictures have a class among the seven without a filter."""
    with ferplus_csv.open(encoding="utf-8") as stream:
        paths = pd.Series([line.split(",")[0] for line in stream][1:])
    votes = read_votes(ferplus_csv, paths)
    val = pd.Series(False, index=paths.index)

    def counted(**changed) -> dict[str, int]:
        return dict(Counter(labelled(votes, replace(RULES, **changed), val)["reason"]))

    dropped = {"contempt": 216, "unknown": 222, "no votes": 175, "not a face": 3}
    assert counted(filter="none") == {"": 35_271, **dropped}
    assert counted(filter="none", classes=8)[""] == 35_271 + 216
    dropped = {"contempt": 148, "unknown": 99, "no votes": 175, "not a face": 2}
    assert counted() == {"": 31_263, "no majority": 4_200, **dropped}
    assert counted(classes=8)[""] == 31_263 + 148
