from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from facial_expression.dataset import archive, audit, listing, sample
from facial_expression.dataset.faces import (
    ACTION_UNITS,
    EXPRESSIONS,
    Identity,
    contraction,
    identity,
    landmarks,
)

MEMBERS = dict(sample.draw())
FAULTS = sample.planted_faults()


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(MEMBERS[path])))


def test_every_member_is_a_grey_48x48_picture():
    for data in MEMBERS.values():
        image = Image.open(io.BytesIO(data))
        assert (image.mode, image.size, image.format) == ("L", (48, 48), "JPEG")
        image.load()


def test_names_and_counts_are_fer2013s_in_small():
    usages = Counter((path.split("/")[0], path.split("/")[2].split("_")[0]) for path in MEMBERS)
    assert set(usages) == {("train", "Training"), ("test", "PublicTest"), ("test", "PrivateTest")}
    assert 1350 <= len(MEMBERS) <= 1500
    counts = Counter(path.split("/")[1] for path in MEMBERS)
    assert set(counts) == set(EXPRESSIONS)
    assert min(counts, key=counts.__getitem__) == "disgust"
    assert max(counts, key=counts.__getitem__) == "happy"


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    again = dict(sample.draw())
    assert again == MEMBERS
    assert sorted(again) == list(again)
    other = sample._faces(1)
    assert next(other)[1] != next(sample._faces(0))[1]


@pytest.mark.parametrize("kind", ["duplicates", "leaks", "conflicts"])
def test_planted_copies_have_equal_pixels(kind):
    for one, two in getattr(FAULTS, kind):
        np.testing.assert_array_equal(pixels(one), pixels(two))
        same_class = one.split("/")[1] == two.split("/")[1]
        assert same_class == (kind != "conflicts")
        assert one.startswith("test/") == (kind == "leaks")
        assert two.startswith("train/")


def test_near_duplicates_are_close_but_not_equal():
    for one, two in FAULTS.near_duplicates:
        difference = np.abs(pixels(one).astype(int) - pixels(two))
        assert 0 < difference.mean() < 8


def test_the_audit_finds_every_planted_fault_and_invents_none(tmp_path):
    path = tmp_path / "images.zip"
    archive.write(path, ((name, [data]) for name, data in sorted(MEMBERS.items())))
    rows = list(listing.scan(path, archive.members(path), 1))
    rows = audit.mark(listing.assign_splits(rows, "clean", 0.1, 0.1, 0), "clean")
    copies = {two: one for kind in (FAULTS.duplicates, FAULTS.conflicts) for one, two in kind}
    copies |= {two: one for one, two in FAULTS.leaks}
    blanks = {row.path for row in rows if row.std < audit.BLANK_STD}
    assert {row.path: row.duplicate_of for row in rows if row.duplicate_of} == copies
    assert {row.path for row in rows if row.dropped_because} == {two for _, two in FAULTS.leaks}
    assert blanks == set(FAULTS.blanks)
    counts = audit.summary(rows, "clean")["duplicates"]
    assert counts["groups"] == len(copies)
    assert counts["groups_across_train_and_evaluation"] == len(FAULTS.leaks)
    assert counts["groups_with_conflicting_labels"] == len(FAULTS.conflicts)


def test_neutral_moves_no_muscle():
    assert contraction("neutral", 1.0, np.random.default_rng(0)) == {}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_contracts_its_action_units(expression):
    muscles = contraction(expression, 0.8, np.random.default_rng(0))
    assert set(EXPRESSIONS[expression]) <= set(muscles)
    assert all(0.0 < intensity <= 1.0 for intensity in muscles.values())


@pytest.mark.parametrize(
    ("unit", "landmark", "axis", "sign"),
    [
        (1, "inner_brow", 1, -1),  # y grows downwards
        (2, "outer_brow", 1, -1),
        (4, "inner_brow", 1, +1),
        (5, "upper_lid", 1, -1),
        (6, "cheek", 1, -1),
        (7, "lower_lid", 1, -1),
        (9, "nose_wing", 1, -1),
        (12, "lip_corner", 1, -1),
        (15, "lip_corner", 1, +1),
        (16, "lower_lip", 1, +1),
        (20, "lip_corner", 0, +1),
        (23, "lip_corner", 0, -1),
        (25, "lower_lip", 1, +1),
        (26, "lower_lip", 1, +1),
    ],
)
def test_an_action_unit_moves_what_its_name_says(unit, landmark, axis, sign):
    rest, moved = landmarks(Identity(), {}), landmarks(Identity(), {unit: 1.0})
    right = (moved[landmark] - rest[landmark])[1, axis]  # the picture's right: outwards is +x
    assert np.sign(right) == sign
    half = landmarks(Identity(), {unit: 0.5})[landmark] - rest[landmark]
    np.testing.assert_allclose(half * 2, moved[landmark] - rest[landmark])


def test_the_table_of_action_units_is_whole():
    assert {unit for units in EXPRESSIONS.values() for unit in units} <= set(ACTION_UNITS)
    people = [identity(np.random.default_rng(seed)) for seed in range(3)]
    assert len(set(people)) == 3
