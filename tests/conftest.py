"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import make_archive, tiny_pictures


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
