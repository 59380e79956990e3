"""What docs/remotes.md says a team does: one pushes to a bucket, a colleague pulls everything."""

from pathlib import Path

import pytest
import yaml

from tests.clones import make_clone, run, stages_run

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def objects(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def configure(clone: Path, source: Path, sha256: str) -> None:
    """Make the data set fer2013, read from `source`, the active one; two epochs are enough."""
    for name, keys in (
        ("params.yaml", {"data": "fer2013"}),
        ("conf/data/fer2013.yaml", {"fetch": {"source": str(source), "sha256": sha256}}),
        ("conf/recipe/sample.yaml", {"train": {"epochs": 2}}),
    ):
        document = yaml.safe_load((clone / name).read_text("utf-8"))
        for key, value in keys.items():
            document[key] = {**document[key], **value} if isinstance(value, dict) else value
        (clone / name).write_text(yaml.safe_dump(document), encoding="utf-8")


@pytest.fixture(scope="module")
def team(tmp_path_factory, tiny_fer2013) -> tuple[Path, Path]:
    """A clone with a finished run of another data set, pushed to the team's bucket; the bucket."""
    clone = make_clone(tmp_path_factory.mktemp("first"))
    bucket = tmp_path_factory.mktemp("bucket")
    configure(clone, *tiny_fer2013)
    run(clone, "dvc", "remote", "modify", "fer2013", "url", str(bucket))
    run(clone, "dvc", "repro")
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Our faces in our bucket")
    before = objects(clone / ".dvc/remote")
    run(clone, "dvc", "push")
    assert objects(clone / ".dvc/remote") == before
    return clone, bucket


def test_a_colleague_pulls_everything_and_has_nothing_to_run(team, tmp_path):
    colleague = tmp_path / "colleague"
    run(tmp_path, "git", "clone", "--quiet", str(team[0]), str(colleague))
    run(colleague, "dvc", "pull")
    assert "up to date" in run(colleague, "dvc", "status")
    assert stages_run(run(colleague, "dvc", "repro")) == []
    assert run(colleague, "git", "status", "--porcelain") == ""
    tried = run(colleague, "dvc", "exp", "run", "-S", "conf/recipe/sample.yaml:train.seed=1")
    assert stages_run(tried) == ["train", "evaluate", "plot", "export"]


def test_a_file_that_is_added_reaches_neither_the_embedded_remote_nor_git(team):
    clone, _ = team
    before = objects(clone / ".dvc/remote")
    (clone / "faces.zip").write_bytes(b"faces of people")
    run(clone, "dvc", "add", "faces.zip")
    run(clone, "dvc", "push")
    assert objects(clone / ".dvc/remote") == before
    run(clone, "git", "add", "--all")
    staged = run(clone, "git", "diff", "--cached", "--name-only").split()
    assert staged == [".gitignore", "faces.zip.dvc"]
    run(clone, "git", "reset", "--quiet", "--hard")
