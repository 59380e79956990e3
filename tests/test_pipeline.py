"""The pipeline as its users drive it: the real dvc in temporary clones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML
from tools.release.__main__ import check, named_objects, tracked_objects

from tests.clones import ROOT, make_clone, run, stages_run
from tests.test_structure import PACKAGES, STAGES, deps_of

pytestmark = pytest.mark.pipeline

ALL = list(STAGES)
SECTIONS = {  # which stages a parameter's section belongs to
    "fetch": {"fetch"},
    "index": {"index"},
    "preprocess": {"preprocess"},
    "train": {"train", "export"},  # the model card names them
    "evaluate": {"evaluate"},
    "plot": {"plot"},
    "export": {"export"},
}
ALSO_EVALUATE = {"train.backend", "train.threads"}
FILES = ("params.yaml", "conf/data/sample.yaml", "conf/recipe/sample.yaml")


def leaves() -> list[tuple[str, str, str]]:
    """(file, section, dotted key) of every parameter of the active configuration."""
    found = []
    for name in FILES:
        for section, values in YAML(typ="safe").load(ROOT / name).items():
            if isinstance(values, dict):
                found += [(name, section, key) for key in dotted(values)]
    return found


def dotted(values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from (f"{key}.{inner}" for inner in dotted(value))
        else:
            yield key


@pytest.fixture(scope="module")
def pulled(tmp_path_factory) -> Path:
    """A clone after `dvc pull`; tests put back what they change."""
    clone = make_clone(tmp_path_factory.mktemp("pulled"))
    run(clone, "dvc", "pull")
    return clone


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory) -> Path:
    """A clone after `dvc repro` from nothing."""
    clone = make_clone(tmp_path_factory.mktemp("reproduced"))
    run(clone, "dvc", "repro")
    return clone


@contextmanager
def edited(path: Path, text: str) -> Iterator[None]:
    before = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def changed_stages(clone: Path) -> set[str]:
    with Repo(os.fspath(clone)) as repo:
        return {name.rpartition(":")[2] for name in repo.status()}


def with_leaf(path: Path, section: str, key: str) -> str:
    """The YAML text with another value for one leaf."""
    yaml = YAML()
    document = yaml.load(path)
    *groups, leaf = key.split(".")
    holder = document[section]
    for group in groups:
        holder = holder[group]
    value = holder[leaf]
    match value:
        case bool():
            other = not value
        case int() | float():
            other = value + 1
        case list():
            other = value[:-1]
        case None:
            other = "0" * 64
        case _:
            other = f"{value}x"
    holder[leaf] = other
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def test_pull_brings_everything_and_nothing_is_left_to_do(pulled):
    assert changed_stages(pulled) == set()
    assert stages_run(run(pulled, "dvc", "repro")) == []
    outs = [path for stage in STAGES.values() for entry in stage["outs"] for path in entry]
    assert all((pulled / path).exists() for path in outs)


@pytest.mark.parametrize(("name", "section", "key"), leaves())
def test_a_parameter_touches_exactly_its_stage(pulled, name, section, key):
    expected = set(SECTIONS[section])
    if f"{section}.{key}" in ALSO_EVALUATE:
        expected.add("evaluate")
    with edited(pulled / name, with_leaf(pulled / name, section, key)):
        assert changed_stages(pulled) == expected
    assert changed_stages(pulled) == set()


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_an_edit_touches_exactly_the_stages_that_name_its_package(pulled, package):
    edit = sorted((pulled / "facial_expression" / package).glob("*.py"))[-1]
    named = ROOT / "facial_expression" / package
    expected = {stage for stage in ALL if named in deps_of(stage)}
    with edited(edit, edit.read_text(encoding="utf-8") + "\n# a remark\n"):
        assert changed_stages(pulled) == expected


def test_two_clean_runs_give_the_same_bytes(reproduced, tmp_path):
    other = make_clone(tmp_path)
    assert stages_run(run(other, "dvc", "repro")) == ALL
    for name in ("dvc.lock", "data/model/model.keras", "data/evaluation/scores.json"):
        assert (other / name).read_bytes() == (reproduced / name).read_bytes(), name


def test_a_colour_redraws_the_figures_alone_and_switching_back_runs_nothing(reproduced):
    before = (reproduced / "dvc.lock").read_bytes()
    params = reproduced / "params.yaml"
    with edited(params, with_leaf(params, "plot", "dpi")):
        assert stages_run(run(reproduced, "dvc", "repro")) == ["plot"]
    assert stages_run(run(reproduced, "dvc", "repro")) == []
    assert (reproduced / "dvc.lock").read_bytes() == before


def test_a_training_seed_leaves_the_data_cached(reproduced):
    out = run(reproduced, "dvc", "exp", "run", "-S", "conf/recipe/sample.yaml:train.seed=1")
    assert stages_run(out) == ["train", "evaluate", "plot", "export"]
    shown = json.loads(run(reproduced, "dvc", "params", "diff", "--json"))
    assert list(shown) == ["conf/recipe/sample.yaml"]
    assert list(shown["conf/recipe/sample.yaml"]) == ["train.seed"]
    difference = json.loads(run(reproduced, "dvc", "metrics", "diff", "--json"))
    assert "data/evaluation/metrics.json" in json.dumps(difference)
    assert "train.seed" in run(reproduced, "dvc", "exp", "show", "--csv")
    back = run(reproduced, "dvc", "exp", "run", "-S", "conf/recipe/sample.yaml:train.seed=0")
    assert stages_run(back) == []


def test_the_sample_lands_where_it_should(reproduced):
    metrics = json.loads((reproduced / "data/evaluation/scores.json").read_text("utf-8"))
    assert 0.80 <= metrics["test"]["accuracy"] <= 0.97


def test_the_model_can_be_fetched_as_an_artifact(pulled, tmp_path):
    expected = (pulled / "data/model/model.keras").read_bytes()
    run(tmp_path, "dvc", "get", os.fspath(pulled), "data/model/model.keras", "--out", "one.keras")
    run(pulled, "git", "tag", "--annotate", "expression-model@v0.1.0", "--message", "first")
    run(tmp_path, *("dvc", "artifacts", "get", os.fspath(pulled), "expression-model"))
    assert (tmp_path / "one.keras").read_bytes() == expected
    assert (tmp_path / "model.keras").read_bytes() == expected
    run(pulled, "git", "tag", "--annotate", "released-onnx@v0.1.0", "--message", "first")
    run(tmp_path, "dvc", "artifacts", "get", os.fspath(pulled), "released-onnx")
    released = (pulled / "released/expression.onnx").read_bytes()
    assert (tmp_path / "expression.onnx").read_bytes() == released


def test_git_tracks_in_the_remote_only_what_the_lock_names(pulled):
    named = named_objects(pulled)
    assert named
    assert tracked_objects(ROOT) == named
    check(pulled)
    others = set(run(ROOT, "git", "ls-files", "--", ".dvc/remote").split()) - set(
        map(os.fspath, tracked_objects(ROOT))
    )
    assert others == {".dvc/remote/.gitignore"}


def test_a_clone_for_tests_holds_the_committed_state(tmp_path):
    """What `dvc repro` writes on another processor does not matter to the tests."""
    root = tmp_path / "root"
    (root / "conf").mkdir(parents=True)
    files = {"dvc.lock": "committed", "conf/a.yaml": "committed", "code.py": "committed"}
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    run(root, "git", "init", "--quiet")
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "--quiet", "--message", "first")
    for name in files:
        (root / name).write_text("edited", encoding="utf-8")
    clone = make_clone(tmp_path / "clone", root)
    found = {name: (clone / name).read_text(encoding="utf-8") for name in files}
    assert found == {"dvc.lock": "committed", "conf/a.yaml": "committed", "code.py": "edited"}


def test_other_peoples_pictures_stay_out_of_git(tmp_path, tiny_fer2013):
    """A run on FER2013, then `dvc push` and `git add -A`: no picture is staged."""
    clone = make_clone(tmp_path / "clone")
    source, sha256 = tiny_fer2013
    output = run(
        clone,
        *("dvc", "exp", "run", "-S", "data=fer2013"),
        *("-S", f"conf/data/fer2013.yaml:fetch.source={source}"),
        *("-S", f"conf/data/fer2013.yaml:fetch.sha256='{sha256}'"),
        *("-S", "conf/recipe/sample.yaml:train.epochs=1"),
    )
    assert stages_run(output) == ALL
    run(clone, "dvc", "push")
    pushed = list((clone / ".dvc/private/fer2013/files").rglob("*"))
    assert any(path.is_file() for path in pushed)
    run(clone, "git", "add", "-A")
    staged = run(clone, "git", "diff", "--cached", "--name-only").split()
    assert "dvc.lock" in staged
    text = {".yaml", ".lock", ".json"}
    assert {Path(name).suffix for name in staged} <= text, staged
