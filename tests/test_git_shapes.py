"""The repository as git can hold it: a worktree, a shallow clone, a part of another repository."""

import shutil
from pathlib import Path

import pytest

from tests.clones import make_clone, run, stages_run

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def worktree(origin: Path, place: Path) -> Path:
    run(origin, "git", "worktree", "add", "--quiet", str(place / "worktree"), "-b", "other")
    return place / "worktree"


def shallow(origin: Path, place: Path) -> Path:
    run(place, "git", "clone", "--quiet", "--depth", "1", f"file://{origin}", "shallow")
    return place / "shallow"


def spaces(origin: Path, place: Path) -> Path:
    run(place, "git", "clone", "--quiet", str(origin), "Eigene Dateien ü (1)")
    return place / "Eigene Dateien ü (1)"


def larger(place: Path) -> Path:
    run(place, "git", "init", "--quiet", "larger")
    run(place / "larger", "git", "commit", "--quiet", "--allow-empty", "--message", "start")
    return place / "larger"


def submodule(origin: Path, place: Path) -> Path:
    allowed = ("-c", "protocol.file.allow=always")
    run(larger(place), "git", *allowed, "submodule", "--quiet", "add", str(origin), "ml/faces")
    return place / "larger/ml/faces"


def folder(origin: Path, place: Path) -> Path:
    """Copied into a larger repository, in which nobody knows of files added by force."""
    around = larger(place)
    run(around, "git", "clone", "--quiet", str(origin), "ml/faces")
    shutil.rmtree(around / "ml/faces/.git")
    run(around, "git", "add", "--all")
    run(around, "git", "commit", "--quiet", "--message", "Take the pipeline in")
    run(place, "git", "clone", "--quiet", str(around), "clone")
    return place / "clone/ml/faces"


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    return make_clone(tmp_path_factory.mktemp("origin") / "repository")


@pytest.mark.parametrize("shape", [worktree, shallow, spaces, submodule, folder])
def test_it_pulls_compares_and_has_nothing_to_run(shape, origin, tmp_path):
    place = shape(origin, tmp_path)
    run(place, "dvc", "pull")
    assert stages_run(run(place, "dvc", "repro")) == []
    compared = run(place, "python", "-m", "tools.compare", "HEAD", "workspace", "--split", "test")
    assert "Both are right on the same pictures" in compared
    run(place, "python", "-m", "tools.release", "--check")
    run(place, "python", "-m", "tools.report")
    assert run(place, "git", "status", "--porcelain") == ""
