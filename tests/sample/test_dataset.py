import hashlib
import io
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, features

from facial_expression.core.files import sha256_of
from facial_expression.core.params import load
from facial_expression.fetch.parameters import FetchParameters
from facial_expression.index import audit, table
from facial_expression.pictures import archive
from facial_expression.sample import dataset
from facial_expression.sample.faces import EXPRESSIONS, identity, landmarks
from facial_expression.sample.portraits import looks, portrait
from tests.clones import ROOT
from tests.helpers import drawn_face
from tools import draw_sample


def contents(path: Path) -> dict[str, bytes]:
    return dict(archive.read_members(path, archive.members(path).items()))


def decoded(members: dict[str, bytes]) -> dict[str, np.ndarray]:
    return {path: np.asarray(Image.open(io.BytesIO(data))) for path, data in members.items()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "faces.zip"
    draw_sample.main(["--out", str(path)])
    return path


@pytest.fixture(scope="module")
def members(drawn) -> dict[str, bytes]:
    return contents(drawn)


@pytest.fixture(scope="module")
def pixels(members) -> dict[str, np.ndarray]:
    return decoded(members)


FAULTS = dataset.planted_faults()
PERSON = replace(identity(np.random.default_rng(0)), asymmetry=0.0)


def label_of(path: str) -> str:
    return path.split("/")[1]


def planted_groups() -> set[frozenset[str]]:
    """The groups of equal pictures that the planted pairs make."""
    groups: dict[str, set[str]] = defaultdict(set)
    for one, two in FAULTS.duplicates + FAULTS.leaks + FAULTS.conflicts:
        groups[one] |= {one, two}
    return set(map(frozenset, groups.values()))


def test_the_archive_in_git_is_pinned_and_holds_what_is_drawn(drawn, pixels):
    params = load(ROOT / "conf/data/sample.yaml", "fetch", FetchParameters)
    kept = ROOT / params.source
    assert params.source == draw_sample.ARCHIVE.as_posix()
    assert sha256_of(kept) == params.sha256
    np.testing.assert_equal(decoded(contents(kept)), pixels)
    if features.version("libjpeg_turbo") == "3.2.0":  # which encoded the archive
        assert drawn.read_bytes() == kept.read_bytes()


def test_members_are_grey_48x48_jpegs_with_fer2013s_counts_in_small(members):
    for data in members.values():
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.mode, image.size) == ("JPEG", "L", (48, 48))
    counts = Counter((path.split("/")[2].split("_")[0], label_of(path)) for path in members)
    training = {label: counts["Training", label] for label in EXPRESSIONS}
    for label, count in training.items():
        assert counts["PublicTest", label] == counts["PrivateTest", label] == count // 5
    assert len(members) == 1400
    assert min(training, key=training.get) == "disgust"
    assert max(training, key=training.get) == "happy"
    assert all(("Training" in path) == path.startswith("train/") for path in members)
    assert sum(map(len, members.values())) < 2_500_000


def test_each_call_draws_the_same_bytes_and_leaves_the_global_generator_alone(monkeypatch):
    fewer = {name: (count // 10, least) for name, (count, least) in dataset.CLASSES.items()}
    monkeypatch.setattr(dataset, "CLASSES", fewer)
    first = dataset.draw()
    state = np.random.get_state()[1].copy()
    assert dataset.draw() == first
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert drawn_face(0).tobytes() != drawn_face(1).tobytes()


def test_the_planted_copies_and_no_other_pictures_are_equal(members, pixels):
    same = defaultdict(set)
    for path, grey in pixels.items():
        same[hashlib.sha256(grey.tobytes()).hexdigest()].add(path)
    assert {frozenset(paths) for paths in same.values() if len(paths) > 1} == planted_groups()
    for kind in ("duplicates", "leaks", "conflicts"):
        for one, two in getattr(FAULTS, kind):
            assert (members[one] == members[two]) == (kind != "duplicates")
            assert (label_of(one) == label_of(two)) == (kind != "conflicts")
            assert one.startswith("train/")
            assert two.startswith("test/") == (kind == "leaks")


def test_the_audit_finds_every_planted_fault_and_invents_none(drawn):
    params = load(ROOT / "conf/data/sample.yaml", "index", table.IndexParameters)
    nobody = pd.DataFrame(columns=["path", "group"])
    rows, findings = table.build_index(drawn, nobody, params, 1)
    found = defaultdict(set)
    for one, kind, partner, _ in findings.itertuples(index=False):
        found[kind].add(frozenset({one, partner}))
    equal = [[two, sorted(group)[0]] for group in planted_groups() for two in sorted(group)[1:]]
    assert found == {
        "duplicate": set(map(frozenset, equal)),
        "near_duplicate": set(map(frozenset, FAULTS.near_duplicates)),
        "conflicting_label": set(map(frozenset, FAULTS.conflicts)),
        "blank": {frozenset({path, ""}) for path in FAULTS.blanks},
    }
    assert len(findings) == sum(map(len, found.values()))
    dropped = rows["path"][rows["dropped_because"] != ""]
    assert set(dropped) == {one for one, _ in FAULTS.leaks}
    counts = audit.summary(rows, findings, {}, searched=True)
    assert counts["duplicates"]["groups"] == len(planted_groups())
    assert counts["duplicates"]["groups_across_train_and_evaluation"] == len(FAULTS.leaks)
    assert counts["duplicates"]["groups_with_conflicting_labels"] == len(FAULTS.conflicts)
    assert counts["near_duplicates"]["pairs_across_train_and_evaluation"] == 1


@pytest.mark.parametrize(
    ("unit", "landmark", "outwards", "down"),
    [
        (1, "inner_brow", 0, -1),
        (2, "outer_brow", 1, -1),
        (4, "inner_brow", -1, 1),
        (5, "upper_lid", 0, -1),
        (6, "cheek", 1, -1),
        (7, "lower_lid", 0, -1),
        (9, "nose_wing", 1, -1),
        (12, "lip_corner", 1, -1),
        (15, "lip_corner", 1, 1),
        (16, "lower_lip", 0, 1),
        (20, "lip_corner", 1, 1),
        (23, "lip_corner", -1, 0),
        (25, "lower_lip", 0, 1),
        (26, "chin", 0, 1),
    ],
)
def test_an_action_unit_moves_what_its_name_says(unit, landmark, outwards, down):
    rest, half, full = (landmarks(PERSON, {unit: level})[landmark] for level in (0.0, 0.5, 1.0))
    left, right = full - rest
    assert np.sign(right.round(9)).tolist() == [outwards, down]  # x grows rightwards, y downwards
    np.testing.assert_allclose(left * (-1.0, 1.0), right, atol=1e-12)
    np.testing.assert_allclose((half - rest) * 2, full - rest, atol=1e-12)


def test_a_dropped_jaw_shows_the_dark_of_the_mouth():
    rng = np.random.default_rng(3)
    person, look = identity(rng), looks(rng)
    shut, open_ = (portrait(person, au, look, np.random.default_rng(0)) for au in ({}, {26: 1.0}))
    assert shut.dtype == open_.dtype == np.uint8
    assert shut.shape == open_.shape == (48, 48)
    changed = np.abs(shut.astype(int) - open_) > 25
    assert changed[32:].sum() > 15 > changed[:24].sum()
