from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from facial_expression.errors import DatasetError, ModelError, ParameterError, run
from facial_expression.files import write_csv, write_json, write_text
from stages import export
from tests.clones import ROOT
from tests.test_model_card import FACTS


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """The command line, and the files that the other stages write."""
    write_json(tmp_path / "source.json", FACTS.source)
    write_json(tmp_path / "audit.json", FACTS.audit)
    calibrated = {"temperature": 1.25, "fitted_on": "val", "before": {}, "after": {}}
    metrics = FACTS.metrics | {"calibration": calibrated}
    write_json(tmp_path / "evaluation/metrics.json", metrics)
    table = FACTS.per_class
    write_csv(tmp_path / "evaluation/per_class.csv", list(table[0]), [r.values() for r in table])
    write_text(tmp_path / "model.keras", "weights")
    yaml = YAML()
    yaml.dump({"train": dict(FACTS.parameters)}, tmp_path / "fast.yaml")
    yaml.dump({"export": dict(FACTS.texts)}, tmp_path / "ours.yaml")
    paths = {
        "params": "ours.yaml",
        "recipe": "fast.yaml",
        "source": "source.json",
        "audit": "audit.json",
        "model": "model.keras",
        "evaluation": "evaluation",
        "out": "export",
    }
    return [text for name, path in paths.items() for text in (f"--{name}", str(tmp_path / path))]


def test_the_card_is_written_from_what_the_stages_wrote(arguments, tmp_path, capsys):
    export.main(arguments)
    card = (tmp_path / "export/model_card.md").read_text(encoding="utf-8")
    assert hashlib.sha256(b"weights").hexdigest() in card
    assert "recipe `fast`" in card
    assert "67.9 % (66.1 to 69.3), n = 3,589" in card
    assert str(tmp_path) not in card
    assert str(tmp_path / "export") in capsys.readouterr().out


def test_the_folder_has_all_that_a_user_of_the_network_needs(arguments, tmp_path):
    export.main(arguments)
    folder = tmp_path / "export"
    assert (folder / "model.keras").read_text(encoding="utf-8") == "weights"
    assert json.loads((folder / "classes.json").read_text("utf-8")) == ["happy", "sad"]
    calibration = json.loads((folder / "calibration.json").read_text("utf-8"))
    assert calibration == {"temperature": 1.25, "fitted_on": "val"}


def test_the_same_run_gives_the_same_bytes(arguments, tmp_path):
    path = tmp_path / "export/model_card.md"
    export.main(arguments)
    first = path.read_bytes()
    export.main(arguments)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("lacking", "error"),
    [
        ("model.keras", ModelError),
        ("audit.json", DatasetError),
        ("source.json", DatasetError),
        ("evaluation/metrics.json", DatasetError),
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
