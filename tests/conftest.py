"""Fixtures that several test files share."""

import importlib.util
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from facial_expression.core.files import sha256_of
from tests.clones import make_clone, run
from tests.helpers import make_archive, tiny_pictures

# What a background shell starts ignores SIGINT, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

if not importlib.util.find_spec("flask"):  # requirements-extras.txt is not installed
    collect_ignore = [f"tools/test_{name}.py" for name in ("site", "web", "web_page")]
    collect_ignore += ["benchmarks/test_browser.py"]

settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


@pytest.fixture
def tiny_archive(tmp_path: Path) -> Path:
    """A normalised archive of `tiny_pictures()`."""
    return make_archive(tmp_path / "images.zip", tiny_pictures())


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after `dvc pull`.  Tests put back what they change in it, or work on a copy."""
    clone = make_clone(tmp_path_factory.mktemp("pulled") / "clone")
    run(clone, "dvc", "pull")
    return clone


def beside(name: str, lacking: str) -> Path:
    """A file of the real data, where it lies beside the repository; else the test is skipped."""
    path = Path(__file__).parents[2] / "shared" / "data" / name
    if not path.exists():
        pytest.skip(lacking)
    return path


@pytest.fixture(scope="session")
def fer2013_zip() -> Path:
    """The real FER2013 in the folder copy's layout, where it lies beside the repository."""
    return beside("fer2013.zip", "the real FER2013 archive is not here")


@pytest.fixture(scope="session")
def ferplus_csv() -> Path:
    """The FER+ votes joined on the file names of the folder copy, where they lie beside it."""
    return beside("ferplus.csv", "the real FER+ votes are not here")


@pytest.fixture(scope="session")
def tiny_fer2013(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A source in FER2013's layout outside the repository, and the sha256 that pins it."""
    path = make_archive(tmp_path_factory.mktemp("source") / "tiny.zip", tiny_pictures())
    return path, sha256_of(path)
