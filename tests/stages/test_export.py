from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from facial_expression.core.arrays import write_array, write_rows
from facial_expression.core.errors import DatasetError, ModelError, ParameterError, run
from facial_expression.core.files import sha256_of, write_csv, write_json
from facial_expression.inference.boxes import CropRule
from facial_expression.inference.network import Network, Output
from facial_expression.network.backend import configure
from stages import export
from tests.clones import ROOT
from tests.export.test_card import FACTS


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A network for the two classes of `FACTS`."""
    configure("tensorflow", 2)
    from facial_expression.network import keras_file
    from facial_expression.train import models

    path = tmp_path_factory.mktemp("weights") / "model.keras"
    keras_file.save(models.build("fast", 48, 2), path)
    return path


@pytest.fixture
def arguments(tmp_path: Path, weights: Path) -> list[str]:
    """The command line, and the files that the other stages write."""
    images = np.random.default_rng(0).integers(0, 256, (20, 48, 48), np.uint8)
    arrays = tmp_path / "arrays" / FACTS.metrics["reported_split"]
    write_array(arrays / "images-000.npy", images)
    write_array(arrays / "labels-000.npy", np.zeros(20, np.int64))
    write_rows(arrays.parent, arrays.name, [(row, f"{row}.png", True) for row in range(20)])
    write_json(tmp_path / "source.json", FACTS.source)
    write_json(tmp_path / "audit.json", FACTS.audit)
    calibrated = {"temperature": 1.25, "fitted_on": "val", "before": {}, "after": {}}
    metrics = FACTS.metrics | {"calibration": calibrated}
    write_json(tmp_path / "evaluation/scores.json", metrics)
    table = FACTS.per_class
    write_csv(tmp_path / "evaluation/per_class.csv", list(table[0]), [r.values() for r in table])
    shutil.copyfile(weights, tmp_path / "model.keras")
    yaml = YAML()
    shutil.copyfile(ROOT / "conf/recipe/fast.yaml", tmp_path / "fast.yaml")
    texts = {**FACTS.texts, "crop": {"scale": 1.3, "drop": 0.1}}
    yaml.dump({"export": texts}, tmp_path / "ours.yaml")
    paths = {
        "params": "ours.yaml",
        "recipe": "fast.yaml",
        "source": "source.json",
        "audit": "audit.json",
        "arrays": "arrays",
        "model": "model.keras",
        "evaluation": "evaluation",
        "out": "export",
    }
    return [text for name, path in paths.items() for text in (f"--{name}", str(tmp_path / path))]


def test_the_card_is_written_from_what_the_stages_wrote(arguments, tmp_path, capsys):
    export.main(arguments)
    card = (tmp_path / "export/model_card.md").read_text(encoding="utf-8")
    assert sha256_of(tmp_path / "model.keras") in card
    assert "recipe `fast`" in card
    assert "67.9 % (66.1 to 69.3), n = 3,589" in card
    assert str(tmp_path) not in card
    assert str(tmp_path / "export") in capsys.readouterr().out


def test_the_folder_has_all_that_a_user_of_the_network_needs(arguments, tmp_path):
    export.main(arguments)
    folder = tmp_path / "export"
    assert (folder / "model.keras").read_bytes() == (tmp_path / "model.keras").read_bytes()
    assert json.loads((folder / "classes.json").read_text("utf-8")) == ["happy", "sad"]
    calibration = json.loads((folder / "calibration.json").read_text("utf-8"))
    assert calibration == {"temperature": 1.25, "fitted_on": "val"}


def test_the_same_run_gives_the_same_bytes(arguments, tmp_path):
    paths = [tmp_path / "export" / name for name in ("model_card.md", "model.onnx", "parity.json")]
    export.main(arguments)
    first = [path.read_bytes() for path in paths]
    export.main(arguments)
    assert [path.read_bytes() for path in paths] == first


def test_the_onnx_network_says_what_a_user_of_it_has_to_know(arguments, tmp_path):
    export.main(arguments)
    network = Network(tmp_path / "export/model.onnx", threads=1)
    assert network.classes == ("happy", "sad")
    assert (network.side, network.crop) == (48, CropRule(1.3, 0.1))
    assert network.facts["terms"] == FACTS.texts["terms"]
    assert network.facts["accuracy"] == "67.9 % (66.1 to 69.3) on val, n = 3,589"
    assert network.facts["model_sha256"] == sha256_of(tmp_path / "model.keras")
    assert network.facts["temperature"] == "1.250000"
    found = json.loads((tmp_path / "export/parity.json").read_text("utf-8"))
    assert (found["split"], found["n"], found["other_class"]) == ("val", 20, 0)
    assert found["largest_difference"] <= 1e-4


def test_a_network_that_says_other_things_is_not_written(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(Network, "predict", lambda self, images: Output(  # a defect of the runtime
        np.full((len(images), 2), 0.5, np.float32), None
    ))  # fmt: skip
    with pytest.raises(ModelError, match="nothing was written"):
        export.main(arguments)
    assert list((tmp_path / "export").iterdir()) == []


@pytest.mark.parametrize(
    ("lacking", "error"),
    [
        ("model.keras", ModelError),
        ("audit.json", DatasetError),
        ("source.json", DatasetError),
        ("evaluation/scores.json", DatasetError),
        ("evaluation/per_class.csv", DatasetError),
        ("fast.yaml", ParameterError),
        ("ours.yaml", ParameterError),
    ],
)
def test_a_missing_file_is_named_in_one_line(lacking, error, arguments, tmp_path):
    (tmp_path / lacking).unlink()
    with pytest.raises(error, match=Path(lacking).name):
        export.main(arguments)
    with pytest.raises(SystemExit) as exit_:
        run(lambda: export.main(arguments))
    assert len(str(exit_.value.code).splitlines()) == 1
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "conf/data").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_data_set_brings_the_texts_of_its_card(path, arguments, tmp_path, capsys):
    arguments[arguments.index("--params") + 1] = str(path)
    export.main(arguments)
    note = "write export.terms, export.labels, export.people"
    assert (note in capsys.readouterr().err) == (path.stem == "folder")
    assert (tmp_path / "export/model_card.md").stat().st_size > 2000
