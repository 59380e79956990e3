"""released/ is made from a run: here from the sample's, in a clone of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from facial_expression.core.errors import PipelineError
from facial_expression.core.files import sha256_of
from facial_expression.inference.network import Network
from tests.clones import make_clone, run
from tools.release import steps
from tools.release.steps import INT8, check_run, network_from

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A clone with the sample's finished run."""
    clone = make_clone(tmp_path_factory.mktemp("finished"))
    run(clone, "dvc", "pull")
    return clone


def edited(source: Path, target: Path, name: str, **changes: object) -> Path:
    """The numbers of the run that a release looks at, with one file changed."""
    for path in ("data/evaluation/metrics.json", "data/export/parity.json"):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)
    found = json.loads((target / name).read_text("utf-8"))
    (target / name).write_text(json.dumps(found | changes), encoding="utf-8")
    return target


def test_a_clean_run_with_parity_may_be_released(finished):
    check_run(finished)


def test_another_protocol_is_refused(finished, tmp_path):
    path = "data/evaluation/metrics.json"
    with pytest.raises(PipelineError, match="protocol clean, found notebook"):
        check_run(edited(finished, tmp_path, path, protocol="notebook"))


@pytest.mark.parametrize("change", [{"other_class": 1}, {"largest_difference": 0.01}])
def test_a_run_without_parity_is_refused(change, finished, tmp_path):
    with pytest.raises(PipelineError, match=r"does not say what model\.keras says"):
        check_run(edited(finished, tmp_path, "data/export/parity.json", **change))


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    with pytest.raises(PipelineError, match=r"metrics\.json: expected a finished run"):
        check_run(tmp_path)


@pytest.mark.parametrize("text", ['{"n": 3}', "[1]", "{", '{"n": 0, "decisive": 0, '
                                  '"other_class": 0, "largest_difference": 0}'])  # fmt: skip
def test_a_torn_or_empty_comparison_is_refused(text, finished, tmp_path):
    path = "data/export/parity.json"
    (edited(finished, tmp_path, path) / path).write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError):
        check_run(tmp_path)


def test_nothing_is_released_of_a_run_that_is_refused(finished, tmp_path):
    source = edited(finished, tmp_path / "run", "data/evaluation/metrics.json", protocol="notebook")
    with pytest.raises(PipelineError, match="protocol clean, found notebook"):
        network_from(source, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_run_that_was_changed_is_refused(finished, tmp_path):
    path = finished / "conf/recipe/sample.yaml"
    before = path.read_text("utf-8")
    path.write_text(before.replace("seed: 0", "seed: 1", 1), encoding="utf-8")
    try:
        with pytest.raises(PipelineError, match=r"found changes in .*train.*; run dvc repro there"):
            network_from(finished, tmp_path / "root")
    finally:
        path.write_text(before, encoding="utf-8")
    assert not (tmp_path / "root").exists()


def test_a_file_that_is_too_large_is_not_released(tmp_path, monkeypatch):
    made, released = tmp_path / "made", tmp_path / "released"
    names = ("classes.json", "calibration.json", "parity.json", "model_card.md", "model.onnx")
    for name in ("model.keras", "evaluation/metrics.json", *(f"export/{name}" for name in names)):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("more than ten bytes", encoding="utf-8")
    released.mkdir()
    monkeypatch.setattr(steps, "LARGEST", 10)
    with pytest.raises(PipelineError, match=r"expression\.keras: .* MB, at most"):
        steps._take(made, released)
    assert not list(released.iterdir())


def test_an_int8_form_of_an_earlier_release_goes(tmp_path):
    clone = make_clone(tmp_path)
    (clone / INT8).write_bytes(b"earlier")
    run(clone, "dvc", "add", INT8)
    steps._forget(clone, INT8)
    steps._forget(clone, INT8)  # nothing to do
    assert not list((clone / "released").glob("*int8*"))
    assert "int8" not in (clone / "released/.gitignore").read_text("utf-8")


def test_one_command_makes_the_whole_folder(finished, tmp_path):
    clone = make_clone(tmp_path)
    run(clone, "dvc", "pull")
    run(clone, "python", "-m", "tools.release", "--run", str(finished))
    released = clone / "released"
    small, whole = (p.stat().st_size for p in (released / "expression.keras",
                                               finished / "data/model/model.keras"))  # fmt: skip
    assert small < 0.6 * whole
    network = Network(released / "expression.onnx")
    assert network.facts["model_sha256"] == sha256_of(released / "expression.keras")
    assert list(network.classes) == json.loads((released / "classes.json").read_text("utf-8"))
    assert network.predict(np.zeros((2, 48, 48), np.uint8)).probabilities.shape == (2, 7)
    card = (released / "model_card.md").read_text("utf-8")
    assert 'InferenceSession("expression.onnx")' in card
    assert "model.keras" not in card
    metrics = json.loads((released / "metrics.json").read_text("utf-8"))
    before = json.loads((finished / "data/evaluation/metrics.json").read_text("utf-8"))
    assert metrics["test"]["accuracy"] == pytest.approx(before["test"]["accuracy"], abs=0.02)
    recipe = YAML(typ="safe").load(clone / "conf/recipe/finetune.yaml")["train"]
    assert recipe["initial"]["sha256"] == sha256_of(released / "expression.keras")
    int8 = released / "expression-int8.onnx"  # only where it is faster
    assert int8.exists() == (released / "expression-int8.onnx.dvc").exists()
    if int8.exists():
        assert Network(int8).facts["model_sha256"] == network.facts["model_sha256"]
    staged = run(clone, "git", "diff", "--cached", "--name-only").split()
    assert sum(".dvc/remote" in name for name in staged) >= 2
