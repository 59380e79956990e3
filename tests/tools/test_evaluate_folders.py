from pathlib import Path

import numpy as np
import pytest

from facial_expression.core.errors import DatasetError, ImageError
from facial_expression.pictures.images import decode, square
from tests.helpers import make_folder, picture, tiny_pictures
from tools.evaluate.folders import assign_labels, list_folders, read_pictures, training_fingerprints

CLASSES = ["angry", "happy", "sad"]


def make(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(seed, side=20 + seed, kind="PNG"))
    return root


def test_pictures_become_what_training_would_make_of_them(tmp_path):
    names = ["happy/a b.png", "joy/é.png", "sad/b.jpg", "sad/a.PNG", "contempt/x.png"]
    make(tmp_path, *names)
    (tmp_path / "sad/notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/a.png").write_bytes(b"junk")
    folders = list_folders(tmp_path)
    assert list(folders) == ["contempt", "happy", "joy", "sad"]
    labels = assign_labels(list(folders), CLASSES, {"joy": "happy", "contempt": ""})
    assert labels == {"contempt": None, "happy": 1, "joy": 1, "sad": 2}
    known = decode((tmp_path / "joy/é.png").read_bytes()).fingerprint
    found = read_pictures(tmp_path, folders, labels, 16, {known})
    assert found.paths == ["happy/a b.png", "joy/é.png", "sad/a.PNG", "sad/b.jpg"]
    assert found.leak_free.tolist() == [True, False, True, True]
    assert not read_pictures(tmp_path, folders, labels, 16).leak_free.any(), "nothing is known"
    assert found.labels.tolist() == [1, 1, 2, 2]
    assert (found.labels.dtype, found.images.dtype) == (np.int64, np.uint8)
    for path, image in zip(found.paths, found.images, strict=True):
        np.testing.assert_array_equal(image, square(decode((tmp_path / path).read_bytes()), 16))


def test_a_name_with_its_accent_apart_is_the_composed_class(tmp_path):
    make(tmp_path, "de\u0301gou\u0302t/a.png")
    assert list(list_folders(tmp_path)) == ["d\u00e9go\u00fbt"]


def test_a_linked_folder_is_named(tmp_path):
    make(tmp_path, "here/happy/a.png", "elsewhere/b.png")
    (tmp_path / "here/angry").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(DatasetError, match="found the link angry"):
        list_folders(tmp_path / "here")


@pytest.mark.parametrize(
    ("names", "split", "found"),
    [
        ([], "test", "found no such folder; mend the path or --split"),
        (["test/happy/a.png"], "", r"found test/happy/a\.png; add --split test"),
        (["a/b/c/d.png"], "", r"found a/b/c/d\.png; move it into such a folder"),
        (["test/happy/a.png"], "val", "found no such folder; mend the path or --split"),
    ],
)
def test_another_layout_is_refused(tmp_path, names, split, found):
    make(tmp_path, *names)
    with pytest.raises(DatasetError, match=f"expected pictures in <class>/<name>, {found}"):
        list_folders(tmp_path, split)


def test_fer2013_s_two_splits_are_never_mixed(tmp_path):
    make_folder(tmp_path, tiny_pictures())
    usages = {"train": 6 * ["Training"], "val": 2 * ["PublicTest"], "test": 2 * ["PrivateTest"]}
    for split, expected in usages.items():
        folders = list_folders(tmp_path, split)
        assert list(folders) == CLASSES
        for members in folders.values():
            assert [path.name.partition("_")[0] for path in members] == expected
    with pytest.raises(
        DatasetError, match=r"found FER2013's PublicTest and PrivateTest; .*--split"
    ):
        list_folders(tmp_path / "test")


@pytest.mark.parametrize(
    ("folders", "renamed", "found"),
    [
        (["happy", "joy", "rage"], {}, "found joy, rage; .* --map joy=happy, .* --map joy=$"),
        (["happy"], {"joy": "happy"}, "^--map joy=happy: expected a folder of happy, found none"),
        (["joy"], {"joy": "glad"}, "^--map joy=glad: expected a class of angry, happy, sad"),
        (["happy"], {"happy": ""}, "every one left out"),
    ],
)
def test_folders_that_are_no_class_are_named(folders, renamed, found):
    with pytest.raises(DatasetError, match=found):
        assign_labels(folders, CLASSES, renamed)


def test_what_is_no_picture_is_named(tmp_path):
    make(tmp_path, "happy/a.png")
    (tmp_path / "happy/b.png").write_bytes(b"words")
    with pytest.raises(ImageError, match=r"happy/b\.png: expected a picture: not a picture"):
        read_pictures(tmp_path, list_folders(tmp_path), {"happy": 1}, 16)


def test_only_what_is_trained_on_counts_as_training(tmp_path):
    text = "split,sha256,dropped_because\ntrain,a,\ntrain,b,leak\nval,c,\ntest,d,\n"
    (tmp_path / "index.csv").write_text(text, encoding="utf-8")
    assert training_fingerprints(tmp_path / "index.csv") == {"a"}
    with pytest.raises(DatasetError, match=r"none\.csv: no such table; run the index stage"):
        training_fingerprints(tmp_path / "none.csv")
