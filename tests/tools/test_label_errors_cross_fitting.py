import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.core.arrays import Split, npy
from facial_expression.core.errors import DatasetError, ParameterError
from tests.train.recipes import RECIPE
from tools.label_errors.cross_fitting import assign_folds, out_of_fold

CLASSES = ["angry", "happy", "sad"]


def split_of(pictures: list[int], labels: list[int]) -> Split:
    """Pictures of one grey level each; equal levels are equal pictures."""
    images = np.array(pictures, np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2)
    paths = [f"{i}.jpg" for i in range(len(labels))]
    return Split(images, np.array(labels), paths, np.ones(len(labels), bool))


@settings(max_examples=30)
@given(st.integers(0, 99), st.integers(2, 4), st.lists(st.integers(0, 59), max_size=30))
def test_equal_pictures_share_a_fold_and_every_picture_has_one(seed, folds, copies):
    pictures = [*range(60), *copies]
    split = split_of(pictures, [picture % 3 for picture in pictures])
    fold_of = assign_folds(split, CLASSES, folds, seed)
    assert set(fold_of.tolist()) == set(range(folds))
    for number, picture in enumerate(pictures):
        assert fold_of[number] == fold_of[picture]
    for fold in range(folds):
        others, held_out = split.where(fold_of != fold), split.where(fold_of == fold)
        assert not {i.tobytes() for i in others.images} & {i.tobytes() for i in held_out.images}
        assert sorted([*others.paths, *held_out.paths]) == sorted(split.paths)
        assert set(others.labels.tolist()) == {0, 1, 2}


def test_pictures_of_one_person_share_a_fold():
    split = split_of(list(range(120)), [i % 3 for i in range(120)])
    persons = {f"{i}.jpg": f"p{i // 4}" for i in range(80)}  # the last forty have no name
    fold_of = assign_folds(split, CLASSES, 4, 0, persons)
    for person in range(20):
        assert len(set(fold_of[4 * person : 4 * person + 4])) == 1
    assert np.bincount(fold_of).min() > 20


def test_folds_are_stratified_and_seeded():
    split = split_of(list(range(200)), [0] * 160 + [1] * 40)
    fold_of = assign_folds(split, CLASSES, 4, 7)
    for fold in range(4):
        assert np.bincount(split.labels[fold_of == fold]).tolist() == [40, 10]
    assert (fold_of == assign_folds(split, CLASSES, 4, 7)).all()
    assert (fold_of != assign_folds(split, CLASSES, 4, 8)).any()


def test_too_few_folds_or_pictures_are_refused():
    split = split_of(list(range(20)), [0] * 17 + [2] * 3)
    with pytest.raises(ParameterError, match="--folds: expected 2 or more, found 1"):
        assign_folds(split, CLASSES, 1, 0)
    with pytest.raises(DatasetError, match="found 3 of sad; give fewer folds"):
        assign_folds(split, CLASSES, 4, 0)
    equal = split_of([*range(18), 5, 5], [0] * 17 + [2] * 3)
    with pytest.raises(DatasetError, match=r"expected 3 distinct pictures .* found 2 of sad"):
        assign_folds(equal, CLASSES, 3, 0)


WHOLE = npy(np.zeros((2, 3)))


@pytest.mark.parametrize("kept", [b"", b"x", b"PK\3\4", WHOLE[:-8], npy(np.zeros((2, 2)))])
def test_a_damaged_fold_that_was_kept_is_one_line(tmp_path, kept):
    split, fold_of = split_of(list(range(4)), [0, 0, 1, 1]), np.array([0, 1, 0, 1])
    (tmp_path / "fold-0.npy").write_bytes(npy(np.full((2, 3), 1 / 3)))
    (tmp_path / "fold-1.npy").write_bytes(kept)
    with pytest.raises(DatasetError, match=r"fold-1\.npy: .* delete it and run again"):
        out_of_fold(RECIPE, split, CLASSES, fold_of, tmp_path)
