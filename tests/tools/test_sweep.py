"""Two processes share a study, one of them is killed; what finished is a DVC experiment."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.clones import copied, environment, run

pytestmark = [pytest.mark.pipeline, pytest.mark.slow, pytest.mark.extra]

RATE = "train.optimizer.learning_rate"
SWEEP = {
    "recipe": "sample",
    "trials": 4,
    "heartbeat": 1,
    "pruning": {"after_trials": 1, "after_epochs": 6},
    "space": {
        RATE: {"low": 1e-07, "high": 0.01, "log": True},
        "train.epochs": {"choices": [12]},
        "train.model": {"choices": ["small"]},
    },
}
OTHER = SWEEP | {"trials": 1, "space": {"train.epochs": {"choices": [1]}}}


def start(clone, *others):
    return subprocess.Popen(
        [sys.executable, "-m", "tools.sweep", "conf/sweep/tiny.yaml", *others],
        cwd=clone,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture(scope="module")
def swept(pulled, tmp_path_factory):
    """A repository after a study in which one of two processes was killed, and what they said.

    The first trial has the best learning rate, the third one with which nothing is learned.
    """
    optuna = pytest.importorskip("optuna")
    clone = copied(pulled, tmp_path_factory.mktemp("swept") / "clone")
    for name, sweep in {"tiny": SWEEP, "other": OTHER}.items():
        (clone / f"conf/sweep/{name}.yaml").write_text(yaml.safe_dump({"sweep": sweep}))
    run(clone, "dvc", "repro", "index", "preprocess")  # nothing, with the lock of a release
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "A sweep")
    study = optuna.create_study(
        storage=f"sqlite:///{clone}/sweeps.db", study_name="tiny", direction="maximize"
    )
    for rate in (0.004, 0.0003, 1e-07):
        study.enqueue_trial({RATE: rate, "train.epochs": 12, "train.model": "small"})
    first = start(clone)
    until(lambda: study.trials[0].intermediate_values)
    second = start(clone, "conf/sweep/other.yaml")
    until(lambda: study.trials[1].state.name != "WAITING")
    first.send_signal(signal.SIGKILL)
    heard = [process.communicate(timeout=300)[0] for process in (first, second)]
    return clone, study, heard


def test_the_killed_trial_is_continued_by_the_other_process(swept):
    _, study, (_, told) = swept
    assert [row.state.name for row in study.trials] == ["FAIL", "COMPLETE", "PRUNED", "COMPLETE"]
    assert study.trials[0].params == study.trials[3].params
    assert re.search(r"^tiny-0: continuing an interrupted run after epoch \d", told, re.MULTILINE)
    assert re.search(r"^tiny-0: complete, val_acc 0\.\d+; 4 of 4$", told, re.MULTILINE)
    assert "Traceback" not in told


def test_a_second_file_is_searched_after_the_first(swept):
    _, _, (_, told) = swept
    best = re.findall(r"^best of \d finished trials: (\w+)-\d", told, re.MULTILINE)
    assert best == ["tiny", "other"]


def test_a_trial_that_falls_behind_is_given_up(swept):
    _, study, _ = swept
    assert 6 <= max(study.trials[2].intermediate_values) < 12
    assert max(study.trials[1].intermediate_values) == 12


def test_finished_trials_are_experiments_that_can_be_compared_and_applied(swept):
    clone, study, _ = swept
    names = run(clone, "dvc", "exp", "list", "--name-only").split()
    assert sorted(names) == ["other-0", "tiny-0", "tiny-1"]
    compare = [sys.executable, "-m", "tools.compare", "tiny-0", "tiny-1", "--split", "val"]
    assert "McNemar" in run(clone, *compare)
    assert run(clone, "git", "status", "--porcelain") == "", "nobody's workspace was touched"
    run(clone, "dvc", "exp", "apply", "tiny-1")
    recipe = yaml.safe_load((clone / "conf/recipe/sample.yaml").read_text("utf-8"))["train"]
    assert (recipe["epochs"], recipe["optimizer"]["learning_rate"]) == (12, 0.0003)
    metrics = json.loads((clone / "data/evaluation/metrics.json").read_text("utf-8"))
    assert metrics["val_acc"] == study.trials[1].value
    assert "up to date" in run(clone, "dvc", "status", "train", "evaluate")


def test_it_starts_from_a_commit_and_goes_on_with_the_same_one(swept):
    clone, _, _ = swept
    (clone / "params.yaml").write_bytes((clone / "params.yaml").read_bytes() + b"# mine\n")
    told = start(clone).communicate(timeout=60)[0]
    assert re.fullmatch(r"error: expected a commit .*found changes in .*; commit them\n", told)
    run(clone, "git", "commit", "--quiet", "--all", "--message", "Another state")
    told = start(clone).communicate(timeout=60)[0]
    assert re.fullmatch(r"error: expected the commit with which study tiny .*\n", told)
