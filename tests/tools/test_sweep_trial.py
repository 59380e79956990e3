import pytest
import yaml

from tests.clones import ROOT
from tools.sweep.space import read
from tools.sweep.trial import link_networks


def test_a_network_in_a_folder_that_git_ignores_is_linked(tmp_path, monkeypatch):
    document = yaml.safe_load((ROOT / "conf/recipe/sample.yaml").read_text("utf-8"))
    document["train"]["initial"]["weights"] = "nets/start.keras"
    recipe = tmp_path / "sample.yaml"
    recipe.write_text(yaml.safe_dump(document), encoding="utf-8")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets/start.keras").write_bytes(b"weights")
    clone = tmp_path / "clone"
    clone.mkdir()
    monkeypatch.chdir(tmp_path)
    link_networks(clone, recipe)
    assert (clone / "nets/start.keras").read_bytes() == b"weights"


def test_a_trial_that_was_interrupted_at_last_is_still_due():
    optuna = pytest.importorskip("optuna")
    from tools.sweep.__main__ import due

    sweep = read(ROOT / "conf/sweep/sample.yaml")
    study = optuna.create_study()
    for _ in range(sweep.trials - 1):
        study.tell(study.ask(), 0.5)
    assert due(study, sweep)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    assert not due(study, sweep)
    study.enqueue_trial({"train.epochs": 3})  # as an interrupted one is
    assert due(study, sweep)
    study.tell(study.ask(), 0.5)
    assert not due(study, sweep)
