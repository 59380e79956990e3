from __future__ import annotations

import json
import shutil

import pytest
from ruamel.yaml import YAML

from facial_expression.core import params
from facial_expression.core.errors import PipelineError
from facial_expression.network.recipe import Recipe
from stages.index import IndexParameters
from tests.clones import ROOT
from tools import results

METRICS = {
    "protocol": "clean",
    "reported_split": "val",
    "val": {
        "n": 3589,
        "accuracy": 0.5,
        "accuracy_low": 0.48,
        "accuracy_high": 0.52,
        "macro_f1": 0.4,
    },
    "val_flip": {"n": 3589, "accuracy": 0.51},
    "val_views": {"n": 3589, "accuracy": 0.52},
    "val_leak_free": {"n": 2803, "accuracy": 0.49},
}


@pytest.fixture
def finished(tmp_path):
    """A clone with a finished run's numbers in it."""
    clone = tmp_path / "clone"
    for path in results.NUMBERS:
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text("class,f1\nhappy,0.5\n", encoding="utf-8")
    (clone / "data/evaluation/metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    (clone / "data/model/history.csv").write_text(
        "epoch,val_accuracy\n" + "".join(f"{i},0.{i}0\n" for i in range(1, 6)), encoding="utf-8"
    )
    shutil.copytree(ROOT / "conf", clone / "conf")
    shutil.copyfile(ROOT / "params.yaml", clone / "params.yaml")
    return clone


def test_a_kept_run_can_be_read_again(finished, tmp_path):
    folder = results.keep(
        "x", finished, "dvc exp run -S data=sample", "a note", tmp_path / "results"
    )
    assert json.loads((folder / "metrics.json").read_text("utf-8")) == METRICS
    parameters = YAML(typ="safe").load(folder / "params.yaml")
    assert parameters["train"]["model"] == "small"
    assert parameters["index"]["protocol"] == "clean"
    record = YAML(typ="safe").load(folder / "run.yaml")
    assert record["command"] == "dvc exp run -S data=sample"
    assert "cores" in record["machine"]


def test_each_scored_split_has_a_row(finished, tmp_path):
    both = METRICS | {"test": METRICS["val"] | {"accuracy": 0.6}}
    (finished / "data/evaluation/metrics.json").write_text(json.dumps(both), encoding="utf-8")
    results.keep("x", finished, "dvc exp run", "", tmp_path / "results")
    rows = results.overview(tmp_path / "results")
    assert [row.split(" | ")[3] for row in rows[2:4]] == ["val", "test"]
    assert "60.0 % (48.0 to 52.0) |  |  |  | 0.400 |" in rows[3]


def test_an_unfinished_run_is_refused(finished, tmp_path):
    (finished / "data/evaluation/metrics.json").unlink()
    with pytest.raises(PipelineError, match=r"metrics\.json is missing"):
        results.keep("x", finished, "", "", tmp_path / "results")


def test_the_table_says_what_the_metrics_say(finished, tmp_path):
    kept = tmp_path / "results"
    results.keep("fer2013-seed-notebook", finished, "dvc exp run", "", kept)
    document = f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n"
    text = results.filled(document, kept, brief=False)
    assert "50.0 % (48.0 to 52.0)" in text
    assert "| 49.0 % | 51.0 % | 52.0 % | 0.400 |" in text
    assert "](../results/fer2013-seed-notebook)" in text
    assert "| 5 | 0.500 | 0.482 |" in text
    assert "old" not in text
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert results.filled(text, kept, brief=False) == text


def test_a_brief_document_has_what_was_scored_on_test_and_no_notes(finished, tmp_path):
    kept = tmp_path / "results"
    results.keep("attempt", finished, "dvc exp run", "a note", kept)
    both = METRICS | {"test": METRICS["val"] | {"accuracy": 0.6}}
    (finished / "data/evaluation/metrics.json").write_text(json.dumps(both), encoding="utf-8")
    results.keep("frozen", finished, "dvc exp run", "a note", kept)
    text = results.filled(f"{results.BEGIN}{results.END}", kept, brief=True)
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(rows) == 1
    assert rows[0].startswith("| [frozen](results/frozen) ")
    assert "60.0 %" in rows[0]
    assert "a note" not in text
    assert "a note" in results.filled(text, kept, brief=False)


def test_a_document_without_marks_is_refused(tmp_path):
    with pytest.raises(PipelineError, match="expected the marks"):
        results.filled("nothing", tmp_path, brief=True)


def test_the_documents_of_this_repository_are_current():
    results.write_tables(ROOT, check=True)


def test_the_parameters_of_every_kept_run_can_be_read_by_the_stages():
    for path in (ROOT / "results").glob("*/params.yaml"):
        assert params.load(path, "train", Recipe).epochs >= 1
        assert params.load(path, "index", IndexParameters).protocol in ("clean", "notebook")
