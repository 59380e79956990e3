"""The documented way back to the committed state works from every state that a run can leave."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clones import ROOT, copied, environment, run, stages_run

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

RECIPE = "conf/recipe/sample.yaml"
RATE = f"{RECIPE}:train.optimizer.learning_rate"


def way_back() -> list[str]:
    """The commands that README.md gives under 'Back to the sample'."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"Back to the sample[^`]*```bash\n(.*?)```", text, re.DOTALL)
    return block.strip().splitlines()


def finished(clone: Path) -> None:
    run(clone, "dvc", "exp", "run", "-S", f"{RATE}=0.006")


def failed(override: str) -> Callable[[Path], None]:
    def state(clone: Path) -> None:
        said = run(clone, "dvc", "exp", "run", "-S", override, check=False)
        assert "ERROR" in said

    return state


def edited(clone: Path) -> None:
    """An edit of equal length that git's index takes for no edit, as dvc can leave it."""
    path = clone / RECIPE
    run(clone, "git", "config", "core.trustctime", "false")
    run(clone, "git", "read-tree", "HEAD")
    run(clone, "git", "update-index", "--refresh")
    stat, text = path.stat(), path.read_text(encoding="utf-8")
    changed = re.sub(r"(learning_rate: 0\.00)\d", r"\g<1>6", text)
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def stopped(by: signal.Signals) -> Callable[[Path], None]:
    """End `dvc exp run` with its stage while it trains."""

    def state(clone: Path) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "exp", "run", "-S", f"{RATE}=0.006"],
            cwd=clone,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        history = clone / "data/model/history.csv"
        waited_until = time.monotonic() + 300
        while time.monotonic() < waited_until and process.poll() is None:
            if not (clone / "data/model/model.keras").exists() and history.exists():
                break
            time.sleep(0.1)
        assert process.poll() is None, "it ended before it could be stopped"
        os.killpg(process.pid, by)
        process.wait()

    return state


STATES = {
    "finished": finished,
    "failed": failed(f"{RATE}=-1"),
    "wrong data set": failed("data=fer2031"),
    "wrong recipe": failed("recipe=fats"),
    "edited": edited,
    "interrupted": stopped(signal.SIGINT),
    "killed": stopped(signal.SIGKILL),
}


@pytest.mark.parametrize("state", STATES)
def test_back_to_the_committed_state(pulled, tmp_path, state):
    clone = copied(pulled, tmp_path / "clone")
    STATES[state](clone)
    for command in way_back():
        run(clone, "bash", "-c", command)
    assert run(clone, "git", "status", "--porcelain") == ""
    assert (clone / RECIPE).read_bytes() == (pulled / RECIPE).read_bytes()
    assert "up to date" in run(clone, "dvc", "status")
    assert stages_run(run(clone, "dvc", "repro")) == []


@pytest.mark.parametrize(
    ("wrong", "right"), [("data=fer2031", "data=sample"), ("recipe=fats", "recipe=sample")]
)
def test_the_right_name_takes_the_place_of_a_wrong_one(pulled, tmp_path, wrong, right):
    clone = copied(pulled, tmp_path / "clone")
    failed(wrong)(clone)
    assert stages_run(run(clone, "dvc", "exp", "run", "-S", right)) == []
    assert run(clone, "git", "status", "--porcelain") == ""
