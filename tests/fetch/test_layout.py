from __future__ import annotations

import pytest

from facial_expression.core.errors import ArchiveError
from facial_expression.fetch.layout import arrange, is_wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("train/happy/a.JPeG", True),
        ("train/happy/a.txt", False),
        ("train/happy/jpg", False),
        ("__MACOSX/train/happy/a.jpg", False),
        ("train/happy/._a.jpg", False),
        (".git/happy/a.jpg", False),
    ],
)
def test_is_wanted(path: str, wanted: bool) -> None:
    assert is_wanted(path) == wanted


@pytest.mark.parametrize("wrapper", ["", "wrap/", "a/b/c/"])
def test_wrapping_folders_are_stripped_and_names_sorted(wrapper: str) -> None:
    names = ["train/b/x.jpg", "test/b/x.jpg", "train/a/y.jpg"]
    arranged = arrange([(wrapper + name, name) for name in names], "s")
    assert arranged == [(name, name) for name in sorted(names)]


@pytest.mark.parametrize(
    ("paths", "fault"),
    [
        ([], "found none"),
        (["a.jpg"], "expected pictures in <split>/<class>/ folders, found 'a.jpg'"),
        (["happy/a.jpg"], "found 'happy/a.jpg'"),
        (["train/a/x.jpg", "w/train/a/x.jpg"], "under '' and 'w'"),
        (["w/train/a/x.jpg", "train/a/y.jpg"], "under 'w' and ''"),
        (["v/train/a/x.jpg", "w/train/a/x.jpg"], "under 'v' and 'w'"),
        (["train/a/x.jpg", "train/a/x.jpg"], "found 'train/a/x.jpg' and 'train/a/x.jpg'"),
        (["train/a/x.jpg", "train/a/X.JPG"], "expected distinct names"),
        (["train/a/x.jpg", "train/A/y.jpg"], "expected distinct names"),
    ],
)
def test_another_layout_is_refused(paths: list[str], fault: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        arrange([(path, None) for path in paths], "s")
    assert fault in str(caught.value)
