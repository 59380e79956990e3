"""The pipeline as its users drive it: the real dvc in temporary clones."""

import json
import os

import pytest
import yaml
from dvc.repo import Repo

from tests.clones import ROOT, edited, make_clone, run, stages_run
from tests.test_structure import PACKAGES, STAGES, deps_of
from tools.release import check, tracked_objects

pytestmark = pytest.mark.pipeline

SECTIONS = {  # of the parameters, with a key of each and the stages that it belongs to
    ("conf/data/sample.yaml", "fetch.source"): {"fetch"},
    ("conf/data/sample.yaml", "index.seed"): {"index"},
    ("conf/data/sample.yaml", "evaluate.splits"): {"evaluate"},
    ("conf/data/sample.yaml", "export.terms"): {"export"},
    ("conf/recipe/sample.yaml", "train.optimizer.learning_rate"): {"train", "export"},
    ("conf/recipe/sample.yaml", "train.threads"): {"train", "export", "evaluate"},
    ("params.yaml", "preprocess"): {"preprocess"},
    ("params.yaml", "plot.dpi"): {"plot"},
}


def changed_stages(clone: os.PathLike[str]) -> set[str]:
    with Repo(os.fspath(clone)) as repo:
        return {name.rpartition(":")[2] for name in repo.status()}


def with_another(text: str, key: str) -> str:
    """The YAML text with another value at a dotted key."""
    document = holder = yaml.safe_load(text)
    *groups, leaf = key.split(".")
    for group in groups:
        holder = holder[group]
    holder[leaf] = "another"
    return yaml.safe_dump(document)


def test_pull_brings_everything_and_nothing_is_left_to_do(pulled):
    assert changed_stages(pulled) == set()
    assert stages_run(run(pulled, "dvc", "repro")) == []
    outs = [path for stage in STAGES.values() for entry in stage["outs"] for path in entry]
    assert all((pulled / path).exists() for path in outs)


@pytest.mark.parametrize(("name", "key"), SECTIONS)
def test_a_parameter_touches_exactly_its_stages(pulled, name, key):
    text = (pulled / name).read_text(encoding="utf-8")
    with edited(pulled / name, with_another(text, key)):
        assert changed_stages(pulled) == SECTIONS[name, key]


def test_no_section_of_the_parameters_is_left_out():
    for name in {name for name, _ in SECTIONS}:
        document = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
        sections = {key for key, value in document.items() if isinstance(value, dict)}
        assert sections == {key.partition(".")[0] for file, key in SECTIONS if file == name}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_an_edit_touches_exactly_the_stages_that_name_its_package(pulled, package):
    edit = sorted((pulled / "facial_expression" / package).glob("*.py"))[-1]
    named = ROOT / "facial_expression" / package
    expected = {stage for stage in STAGES if named in deps_of(stage)}
    with edited(edit, edit.read_text(encoding="utf-8") + "\n# a remark\n"):
        assert changed_stages(pulled) == expected


def test_an_edit_of_a_tool_or_what_python_writes_touches_no_stage(pulled):
    tool = pulled / "tools/compare.py"
    cache = pulled / "facial_expression/train/__pycache__"
    cache.mkdir()
    (cache / "fit.pyc").write_bytes(b"bytecode")
    with edited(tool, tool.read_text(encoding="utf-8") + "\n# a remark\n"):
        assert changed_stages(pulled) == set()


@pytest.mark.slow
def test_two_runs_from_nothing_give_the_same_bytes_and_a_good_network(tmp_path):
    clones = [make_clone(tmp_path / name) for name in ("one", "two")]
    for clone in clones:
        assert stages_run(run(clone, "dvc", "repro")) == list(STAGES)
    locks = [(clone / "dvc.lock").read_bytes() for clone in clones]  # it names every output
    assert locks[0] == locks[1]
    scores = json.loads((clones[0] / "data/evaluation/scores.json").read_text("utf-8"))
    assert 0.80 <= scores["test"]["accuracy"] <= 0.97


def test_the_networks_can_be_fetched_as_artifacts(pulled, tmp_path):
    for name, path in (
        ("expression-model", "data/model/model.keras"),
        ("released-onnx", "released/expression.onnx"),
    ):
        run(pulled, "git", "tag", "--annotate", f"{name}@v0.1.0", "--message", "first")
        run(tmp_path, "dvc", "artifacts", "get", os.fspath(pulled), name)
        found = tmp_path / path.rpartition("/")[2]
        assert found.read_bytes() == (pulled / path).read_bytes()


def test_git_tracks_in_the_remote_only_what_the_lock_names(pulled):
    check(pulled)
    tracked = set(run(ROOT, "git", "ls-files", "--", ".dvc/remote").split())
    assert tracked == {".dvc/remote/.gitignore", *map(os.fspath, tracked_objects(pulled))}
