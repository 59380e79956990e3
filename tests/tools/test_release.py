"""tools.release: the embedded remote of a tiny repository, and released/ from the sample's run."""

import json
import shutil

import numpy as np
import pytest
import yaml

from facial_expression.core.errors import PipelineError
from facial_expression.core.files import sha256_of
from facial_expression.core.tables import read_table
from facial_expression.inference.network import Network
from facial_expression.network import keras_file
from facial_expression.train import models
from tests.clones import copied, edited, run
from tools import release as tool
from tools.release import INT8, check, check_run, named_objects, release, tracked_objects

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


def test_a_release_stages_what_the_lock_names_and_drops_the_rest(repository, monkeypatch):
    with pytest.raises(PipelineError, match="0 others and 2 missing"):
        check(repository)
    release(repository)
    first = tracked_objects(repository)
    assert first == named_objects(repository)
    assert len(first) == 2  # one content in two places, and the listing of the folder
    check(repository)

    params = repository / "params.yaml"
    params.write_text("data: sample\nseed: 1\n", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"found changes in write; run dvc pull"):
        release(repository)
    run(repository, "dvc", "repro")
    with pytest.raises(PipelineError, match=r"2 others and 2 missing.*tools\.release"):
        check(repository)
    release(repository)
    assert not first & tracked_objects(repository)
    assert not any((repository / path).exists() for path in first)

    stranger = repository / ".dvc/remote/files/md5/ab/cdef"
    stranger.parent.mkdir(parents=True, exist_ok=True)
    stranger.write_text("a face", encoding="utf-8")
    run(repository, "git", "add", "--force", str(stranger))
    with pytest.raises(PipelineError, match="1 others and 0 missing"):
        check(repository)
    run(repository, "git", "rm", "--quiet", "--force", "--cached", str(stranger))
    run(repository, "git", "rm", "--quiet", "-r", "--force", "--cached", ".dvc/remote")
    run(repository, "git", "add", "--all")  # as in a copy inside a larger repository
    assert tracked_objects(repository) == named_objects(repository)
    monkeypatch.setattr(tool, "LARGEST_REMOTE", 10)
    with pytest.raises(PipelineError, match=r"at most 0 MB may travel with every clone"):
        check(repository)
    params.write_text("data: fer2013\n", encoding="utf-8")
    with pytest.raises(PipelineError, match="expected data: sample, found fer2013"):
        release(repository)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("evaluation/scores.json", None, "expected what dvc repro .*found damage"),
        ("evaluation/scores.json", '{"protocol": "notebook"}', "protocol clean, found notebook"),
        ("export/parity.json", "{", "expected what dvc repro .*found damage"),
        ("export/parity.json", '{"n": 3}', "found no 'decisive'"),
        ("export/parity.json", {"other_class": 1}, "model.onnx differs from model.keras"),
        ("export/parity.json", {"n": 0}, "differs"),
    ],
)
def test_a_run_that_should_not_be_released_is_refused(name, text, said, tmp_path):
    good = {"n": 9, "decisive": 9, "other_class": 0, "largest_difference": 0.0}
    for path, facts in (("evaluation/scores", {"protocol": "clean"}), ("export/parity", good)):
        (tmp_path / f"data/{path}.json").parent.mkdir(parents=True)
        (tmp_path / f"data/{path}.json").write_text(json.dumps(facts), encoding="utf-8")
    check_run(tmp_path)
    path = tmp_path / "data" / name
    path.unlink()
    if text:
        path.write_text(text if isinstance(text, str) else json.dumps(good | text), "utf-8")
    with pytest.raises(PipelineError, match=said):
        tool.network_from(tmp_path, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_half_precision_halves_the_file_and_hardly_moves_the_predictions(tmp_path):
    model = models.build("small", 48, 3)
    whole, half, again = (tmp_path / f"{name}.keras" for name in ("whole", "half", "again"))
    keras_file.save(model, whole)
    for path in (half, again):
        tool.halve(whole, path)
    assert half.read_bytes() == again.read_bytes()
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    loaded = keras_file.load(half)
    for variable, before in zip(loaded.weights, model.weights, strict=True):
        exact = before.numpy()
        rounded = exact.astype(np.float16).astype(np.float32) if exact.ndim > 1 else exact
        np.testing.assert_array_equal(variable.numpy(), rounded)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), dtype=np.uint8)
    np.testing.assert_allclose(loaded(pictures), model(pictures), atol=2e-3)


@pytest.mark.slow
@pytest.mark.pipeline
def test_one_command_makes_the_whole_folder(pulled, tmp_path):
    recipe = pulled / "conf/recipe/sample.yaml"
    with (
        edited(recipe, recipe.read_text("utf-8").replace("seed: 0", "seed: 1", 1)),
        pytest.raises(PipelineError, match=r"found changes in .*train"),
    ):
        tool.network_from(pulled, tmp_path / "root")

    clone = copied(pulled, tmp_path / "clone")
    shutil.copyfile(clone / "params.yaml", clone / INT8)  # of an earlier release
    run(clone, "dvc", "add", INT8)
    run(clone, "python", "-m", "tools.release", "--run", str(pulled))
    released = clone / "released"
    small, whole = released / "expression.keras", pulled / "data/model/model.keras"
    assert small.stat().st_size < 0.6 * whole.stat().st_size
    network = Network(released / "expression.onnx")
    assert network.facts["model_sha256"] == sha256_of(released / "expression.keras")
    assert list(network.classes) == json.loads((released / "classes.json").read_text("utf-8"))
    assert network.predict(np.zeros((2, 48, 48), np.uint8)).probabilities.shape == (2, 7)
    card = (released / "model_card.md").read_text("utf-8")
    assert 'InferenceSession("expression.onnx")' in card
    assert "model.keras" not in card
    metrics = json.loads((released / "scores.json").read_text("utf-8"))
    before = json.loads((pulled / "data/evaluation/scores.json").read_text("utf-8"))
    assert metrics["test"]["accuracy"] == pytest.approx(before["test"]["accuracy"], abs=0.02)
    counts = read_table(released / "confusion.csv", {"count": int})
    assert counts["count"].sum() == metrics["test"]["n"]
    recipe = yaml.safe_load((clone / "conf/recipe/finetune.yaml").read_text("utf-8"))["train"]
    assert recipe["initial"]["sha256"] == sha256_of(released / "expression.keras")
    int8 = clone / INT8  # only if it is faster here
    assert int8.exists() == (clone / f"{INT8}.dvc").exists()
    assert int8.exists() == ("int8" in (released / ".gitignore").read_text("utf-8"))
    if int8.exists():
        assert Network(int8).facts["model_sha256"] == network.facts["model_sha256"]
    staged = run(clone, "git", "diff", "--cached", "--name-only").split()
    assert sum(".dvc/remote" in name for name in staged) >= 2
