"""tools.release in a tiny repository with a real dvc and a real git."""

from __future__ import annotations

import pytest

from facial_expression.core.errors import PipelineError
from tests.clones import run
from tools.release.__main__ import check, named_objects, release, tracked_objects

DVC_YAML = """\
stages:
  write:
    cmd: mkdir -p out/folder && cp params.yaml out/a.txt && cp params.yaml out/folder/b.txt
    deps: [params.yaml]
    outs: [out/a.txt, out/folder]
"""


@pytest.fixture
def repository(tmp_path):
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "main")
    run(tmp_path, "dvc", "init", "--quiet")
    run(tmp_path, "dvc", "remote", "add", "--default", "sample", ".dvc/remote")
    (tmp_path / ".dvc/remote").mkdir()
    (tmp_path / ".dvc/remote/.gitignore").write_text("*\n!.gitignore\n", encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    (tmp_path / "params.yaml").write_text("data: sample\nseed: 0\n", encoding="utf-8")
    run(tmp_path, "dvc", "repro")
    run(tmp_path, "git", "add", "--all")
    run(tmp_path, "git", "commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_release_stages_what_the_lock_names_and_drops_the_rest(repository, capsys):
    release(repository)
    first = tracked_objects(repository)
    assert first == named_objects(repository)
    assert len(first) == 2  # one content in two places, and the listing of the folder
    check(repository)
    run(repository, "git", "commit", "--quiet", "--message", "release")

    (repository / "params.yaml").write_text("data: sample\nseed: 1\n", encoding="utf-8")
    run(repository, "dvc", "repro")
    with pytest.raises(PipelineError, match=r"2 others and \d missing.*tools\.release"):
        check(repository)
    release(repository)
    second = tracked_objects(repository)
    assert not first & second
    assert not any((repository / path).exists() for path in first)
    assert "staged 2 objects" in capsys.readouterr().out


def test_what_would_weigh_on_every_clone_is_refused(repository, monkeypatch):
    release(repository)
    check(repository)
    monkeypatch.setattr("tools.release.LARGEST", 10)
    with pytest.raises(PipelineError, match=r"at most 0 MB may travel with every clone"):
        check(repository)


def test_an_object_that_somebody_forced_in_is_found(repository):
    release(repository)
    stranger = repository / ".dvc/remote/files/md5/ab/cdef"
    stranger.parent.mkdir(parents=True, exist_ok=True)
    stranger.write_text("a face", encoding="utf-8")
    run(repository, "git", "add", "--force", str(stranger))
    with pytest.raises(PipelineError, match="1 others and 0 missing"):
        check(repository)


def test_other_data_and_an_outdated_lock_are_refused(repository):
    params = repository / "params.yaml"
    params.write_text("data: fer2013\n", encoding="utf-8")
    with pytest.raises(PipelineError, match="expected data: sample, found fer2013"):
        release(repository)
    params.write_text("data: sample\nseed: 2\n", encoding="utf-8")
    with pytest.raises(PipelineError, match="out of date for write"):
        release(repository)
