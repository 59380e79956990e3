from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from facial_expression.core.errors import ModelError, run
from facial_expression.core.files import sha256_of, write_json
from facial_expression.core.params import load
from facial_expression.core.tables import write_table
from facial_expression.export import onnx_file
from facial_expression.export.card import render
from facial_expression.export.run import ExportParameters
from facial_expression.inference.boxes import CropRule
from facial_expression.inference.network import Network
from facial_expression.network import keras_file
from facial_expression.train import models
from stages import export
from tests.clones import ROOT
from tests.export.test_card import FACTS
from tests.helpers import make_split, one_line


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the other stages write, and the parameters."""
    root = tmp_path_factory.mktemp("run")
    keras_file.save(models.build("fast", 48, 2), root / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (20, 48, 48), np.uint8)
    make_split(root / "arrays", FACTS.metrics["reported_split"], images, np.zeros(20, np.int64))
    write_json(root / "source.json", FACTS.source)
    write_json(root / "audit.json", FACTS.audit)
    write_json(root / "evaluation/scores.json", FACTS.metrics)
    write_table(root / "evaluation/per_class.csv", FACTS.per_class)
    texts = {**FACTS.texts, "crop": {"scale": 1.3, "drop": 0.1}}
    (root / "ours.yaml").write_text(yaml.safe_dump({"export": texts}), encoding="utf-8")
    return root


def arguments(root: Path, **paths: Path) -> list[str]:
    named = {
        "params": root / "ours.yaml",
        "recipe": ROOT / "conf/recipe/fast.yaml",
        "source": root / "source.json",
        "audit": root / "audit.json",
        "arrays": root / "arrays",
        "model": root / "model.keras",
        "evaluation": root / "evaluation",
        "out": root / "export",
    } | paths
    return [text for name, path in named.items() for text in (f"--{name}", str(path))]


@pytest.fixture(scope="module")
def exported(original: Path) -> Path:
    export.main(arguments(original))
    return original / "export"


def test_the_card_is_written_from_what_the_stages_wrote(original, exported):
    card = (exported / "model_card.md").read_text(encoding="utf-8")
    assert sha256_of(exported / "model.keras") in card
    assert "recipe `fast`" in card
    assert "67.9 % (66.1 to 69.3), n = 3,589" in card
    parameters = yaml.safe_load(card.partition("```yaml\n")[2].partition("```")[0])
    assert (
        parameters == yaml.safe_load((ROOT / "conf/recipe/fast.yaml").read_text("utf-8"))["train"]
    )
    assert str(original) not in card


def test_the_onnx_network_is_what_inference_reads(original, exported):
    network = Network(exported / "model.onnx", threads=1)
    assert network.classes == ("happy", "sad")
    assert (network.side, network.crop) == (48, CropRule(1.3, 0.1))
    assert network.facts["terms"] == FACTS.texts["terms"]
    assert network.facts["accuracy"] == "67.9 % (66.1 to 69.3) on val, n = 3,589"
    assert network.facts["model_sha256"] == sha256_of(exported / "model.keras")
    assert network.facts["temperature"] == "1.250000"
    output = network.predict(np.zeros((3, 48, 48), np.uint8))
    assert output.probabilities.shape == (3, 2)
    assert output.activation is not None


def test_the_same_run_gives_the_same_bytes(original, exported, tmp_path):
    export.main(arguments(original, out=tmp_path))
    names = "calibration.json classes.json model.keras model.onnx model_card.md parity.json"
    assert sorted(path.name for path in exported.iterdir()) == names.split()
    for path in exported.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_network_that_predicts_something_else_is_not_written(original, tmp_path, monkeypatch):
    half = np.full((20, 2), 0.5, np.float32)
    monkeypatch.setattr(onnx_file, "run_onnx", lambda *_: half)  # a defect of the runtime
    with pytest.raises(ModelError, match="nothing was written"):
        export.main(arguments(original, out=tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("option", "name"),
    [("model", "model.keras"), ("evaluation", "scores.json"), ("params", "ours.yaml")],
)
def test_a_missing_file_is_named_in_one_line(option, name, original, tmp_path):
    absent = tmp_path if option == "evaluation" else tmp_path / name
    argv = arguments(original, **{option: absent}, out=tmp_path / "out")
    with pytest.raises(SystemExit, match=one_line("error: ", name)):
        run(lambda: export.main(argv))
    assert not (tmp_path / "out").exists()


def test_a_text_that_only_the_owner_can_write_is_not_stated(original, tmp_path, capsys):
    export.main(arguments(original, params=ROOT / "conf/data/folder.yaml", out=tmp_path))
    said = capsys.readouterr()
    assert str(tmp_path) in said.out
    assert "fill in export.terms, export.labels, export.people of" in said.err
    card = (tmp_path / "model_card.md").read_text("utf-8")
    assert "**Terms.** not stated (fill in export.terms of conf/data/folder.yaml)" in card
    assert card.count("not stated (fill in export.") == 3
    assert Network(tmp_path / "model.onnx", 1).facts["terms"].startswith("not stated (")


@pytest.mark.parametrize("path", sorted((ROOT / "conf/data").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_data_set_brings_the_texts_of_its_card(path):
    texts = load(path, "export", ExportParameters).texts(path.name)
    assert len(render(replace(FACTS, texts=texts))) > 2000
