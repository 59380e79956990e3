"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from facial_expression.files import sha256_of
from tests.helpers import make_archive, tiny_pictures

settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


@pytest.fixture
def tiny_archive(tmp_path: Path) -> Path:
    """A normalised archive of `tiny_pictures()`."""
    return make_archive(tmp_path / "images.zip", tiny_pictures())


@pytest.fixture(scope="session")
def fer2013_zip() -> Path:
    """The real FER2013 in the folder copy's layout, where it lies beside the repository."""
    path = Path(__file__).parents[2] / "shared" / "data" / "fer2013.zip"
    if not path.exists():
        pytest.skip("the real FER2013 archive is not here")
    return path


@pytest.fixture(scope="session")
def ferplus_csv() -> Path:
    """The FER+ votes joined on the file names of the folder copy, where they lie beside it."""
    path = Path(__file__).parents[2] / "shared" / "data" / "ferplus.csv"
    if not path.exists():
        pytest.skip("the real FER+ votes are not here")
    return path


@pytest.fixture
def tiny_fer2013(tmp_path: Path) -> tuple[Path, str]:
    """A source in FER2013's layout outside the repository, and the sha256 that pins it."""
    path = make_archive(tmp_path / "tiny.zip", tiny_pictures())
    return path, sha256_of(path)
