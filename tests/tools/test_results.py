import json
import shutil

import pytest
import yaml

from facial_expression.core.errors import PipelineError
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
    (clone / "data/evaluation/scores.json").write_text(json.dumps(METRICS), encoding="utf-8")
    (clone / "data/model/history.csv").write_text(
        "epoch,accuracy,val_accuracy\n" + "".join(f"{i},0.6,0.{i}0\n" for i in range(1, 6)),
        encoding="utf-8",
    )
    shutil.copytree(ROOT / "conf", clone / "conf")
    shutil.copyfile(ROOT / "params.yaml", clone / "params.yaml")
    return clone


def test_a_kept_run_can_be_read_again(finished, tmp_path):
    folder = results.keep(
        "x", finished, "dvc exp run -S data=sample", "a note", tmp_path / "results"
    )
    assert json.loads((folder / "scores.json").read_text("utf-8")) == METRICS
    parameters = yaml.safe_load((folder / "params.yaml").read_text("utf-8"))
    assert parameters["train"]["model"] == "small"
    assert parameters["index"]["protocol"] == "clean"
    record = yaml.safe_load((folder / "run.yaml").read_text("utf-8"))
    assert record["command"] == "dvc exp run -S data=sample"
    assert "cores" in record["machine"]


def test_a_run_that_cannot_be_kept_whole_is_no_run(finished, tmp_path):
    (finished / "params.yaml").write_text("data: none\nrecipe: none\n", encoding="utf-8")
    with pytest.raises(PipelineError):
        results.keep("x", finished, "dvc exp run", "a note", tmp_path / "results")
    assert "[x]" not in results.runs(tmp_path / "results")


@pytest.mark.parametrize("several", [False, True])
def test_parameters_are_kept_without_paths_of_this_disk(tmp_path, several):
    (tmp_path / "part-1.zip").touch()
    sources = [str(tmp_path / "part-1.zip"), str(tmp_path / "part-*.zip"), "s3://bucket/a.zip"]
    for name, document in {
        "params.yaml": {"data": "mine", "recipe": "short"},
        "conf/data/mine.yaml": {"fetch": {"source": sources if several else sources[0]}},
        "conf/recipe/short.yaml": {
            "train": {"epochs": 1, "initial": "~/a.keras", "teacher": "data/b.keras"}
        },
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    results.write_parameters(tmp_path, tmp_path / "kept.yaml")
    kept = yaml.safe_load((tmp_path / "kept.yaml").read_text(encoding="utf-8"))
    hidden = "a local copy"
    assert kept["fetch"]["source"] == ([hidden, hidden, sources[2]] if several else hidden)
    assert kept["train"] == {"epochs": 1, "initial": hidden, "teacher": "data/b.keras"}


def test_each_scored_split_has_a_row(finished, tmp_path):
    both = METRICS | {"test": METRICS["val"] | {"accuracy": 0.6}}
    (finished / "data/evaluation/scores.json").write_text(json.dumps(both), encoding="utf-8")
    results.keep("x", finished, "dvc exp run", "", tmp_path / "results")
    val, test = results.runs(tmp_path / "results").splitlines()[2:]
    assert "| val | 3,589 | 50.0 | 48.0 to 52.0 | 49.0 |" in val
    assert "| test | 3,589 | 60.0 | 48.0 to 52.0 |" in test


def test_seeds_of_a_recipe_stand_in_one_row(finished, tmp_path, monkeypatch):
    kept = tmp_path / "results"
    for name, accuracy in (("x", 0.5), ("x-seed-1", 0.52)):
        metrics = METRICS | {"val": METRICS["val"] | {"accuracy": accuracy}}
        path = finished / "data/evaluation/scores.json"
        path.write_text(json.dumps(metrics), encoding="utf-8")
        results.keep(name, finished, "dvc exp run", "", kept)
    monkeypatch.setattr(results, "SHOWN", {"ours": "x"})
    ours, every = (make(kept).splitlines()[2] for make in (results.recipes, results.seeds))
    assert "| 51.0 ± 1.4 | 49.0 ± 0.0 |" in ours
    assert every == ours.replace("ours", "`x`")


def test_a_seed_that_lacks_the_reported_split_is_named(finished, tmp_path):
    both = METRICS | {"test": METRICS["val"], "reported_split": "test"}
    for name, metrics in (("x", both), ("x-seed-1", METRICS)):
        path = finished / "data/evaluation/scores.json"
        path.write_text(json.dumps(metrics), encoding="utf-8")
        results.keep(name, finished, "dvc exp run", "", tmp_path / "results")
    with pytest.raises(PipelineError, match=r"x-seed-1: expected scores of test .* found none"):
        results.seeds(tmp_path / "results")


def test_marked_tables_are_written_anew(finished, tmp_path):
    kept = tmp_path / "results"
    results.keep("fer2013-seed-notebook", finished, "dvc exp run", "", kept)
    document = "before\n<!-- tools.results: notebook -->\nold\n<!-- end -->\nafter\n"
    text = results.filled(document, kept)
    assert "| 5 | 60.0 | 50.0 | 48.2 |" in text
    assert "| 4 |" not in text
    assert "old" not in text
    assert text.startswith("before\n<!-- tools.results: notebook -->\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert results.filled(text, kept) == text


@pytest.mark.parametrize("text", ["nothing", "<!-- tools.results: other -->\n<!-- end -->"])
def test_a_document_without_marks_or_with_an_unknown_one_is_refused(text, tmp_path):
    with pytest.raises(PipelineError, match="mark"):
        results.filled(text, tmp_path)


def test_the_documents_of_this_repository_are_current():
    results.write_tables(ROOT, check=True)


@pytest.mark.parametrize("name", ["fast", "compact", "slim", "best", "fine", "transfer"])
def test_the_page_of_recipes_states_the_scores_of_their_runs(name):
    (kept,) = [
        row.split(" | ")
        for row in results.seeds(ROOT / "results").splitlines()
        if f"`fer2013-{name}`" in row
    ]
    page = (ROOT / "docs/recipes.md").read_text(encoding="utf-8").splitlines()
    (stated,) = [row for row in page if row.startswith(f"| `{name}` | ")]
    _, seeds, _, epochs, _, _, _, one_pass, _, _, views, _ = kept
    assert f" | {epochs} | " in stated
    assert stated.endswith(f" | {one_pass} | {views} | {seeds} |")


def test_a_run_is_shown_below_the_reference_runs(finished):
    shutil.copytree(ROOT / "results", finished / "results", dirs_exist_ok=True)
    *kept, ours = results.show(finished).splitlines()
    assert len(kept) == 1 + len(results.SHOWN)
    assert ours.split()[:2] == ["this", "run"]
    (finished / "data/evaluation/scores.json").unlink()
    with pytest.raises(PipelineError, match="run dvc repro"):
        results.show(finished)
