"""Every command of the README, run in a temporary clone in the order in which it stands there."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from facial_expression.pictures import archive
from tests.clones import ROOT, copied, environment, run, stages_run
from tests.test_structure import STAGES

pytestmark = pytest.mark.pipeline

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(heading: str) -> list[list[str]]:
    """The commands of each bash block under a heading of the README."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [match.strip().splitlines() for match in re.findall(r"```bash\n(.*?)```", section, re.S)]


def shell(clone, command: str, columns: int = 120) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        env=environment() | {"COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(pulled, tmp_path_factory) -> Path:
    return copied(pulled, tmp_path_factory.mktemp("readme") / "clone")


def test_the_quick_start_is_two_commands():
    """What .ci/run runs to the letter in a fresh clone."""
    first, second = blocks("Quick start")
    assert len(first) == len(second) == 1
    assert first[0].startswith("python3 -m venv .venv && ")
    assert first[0].endswith("dvc repro")
    assert second[0].endswith("pytest")
    assert "README.md" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_no_command_stands_outside_the_sections_that_are_run():
    sections = ("Quick start", "Use it", "The first hour")
    listed = sum(len(blocks(heading)) for heading in sections)
    assert README.count("```bash") == listed


def test_use_it(clone):
    ((pull, predict),) = blocks("Use it")
    assert pull.startswith(". .venv/bin/activate && ")
    shell(clone, pull.partition(" && ")[2])
    header, *faces = shell(clone, predict).splitlines()
    assert header.split()[0] == "label"
    assert len(faces) >= 10
    assert run(clone, "git", "status", "--porcelain") == ""


def test_the_first_hour(clone, tiny_fer2013):
    look, change, keep, fer2013, own, back = blocks("The first hour")
    for command in look:
        assert shell(clone, command).strip(), command
    assert (clone / "dvc_plots/index.html").stat().st_size > 100_000

    changed, parameters, scores, experiments, compared, _ = [shell(clone, c) for c in change]
    assert stages_run(changed) == ["train", "evaluate", "plot", "export"]
    assert "learning_rate" in parameters
    assert "McNemar" in compared
    assert 1 < len(scores.splitlines()) <= 12
    for headline in ("val_acc", "val_f1", "test_acc", "test_f1", "test_ece"):
        assert headline in experiments
        assert headline in shell(clone, "dvc metrics show")
    for said in (parameters, scores, experiments, shell(clone, "dvc metrics show")):
        assert max(map(len, said.splitlines())) <= 120
    assert re.search(r"\[[a-z]+-[a-z]+\].* 0\.004 ", experiments)

    assert "git commit" in keep[0]
    *_, reproduced = [shell(clone, command) for command in keep]
    assert stages_run(reproduced) == []
    assert run(clone, "git", "status", "--porcelain") == ""

    faces = dict(archive.read_members(clone / "data/raw/images.zip", some(clone)))
    assert stages_run(shell(clone, switched(fer2013[0], *tiny_fer2013))) == list(STAGES)
    no_picture_reaches_git(clone)
    parameters, results = [shell(clone, command) for command in fer2013[1:]]
    assert [row.split() for row in parameters.splitlines()[1:]] == [
        ["params.yaml", "data", "sample", "fer2013"],
        ["params.yaml", "recipe", "sample", "fast"],
    ]
    assert "this run" in results.splitlines()[-1]

    for name, data in faces.items():
        target = clone / "data/source/folder" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    command = f"{own[0]} -S conf/recipe/sample.yaml:train.epochs=2"  # its scores are of no interest
    assert stages_run(shell(clone, command)) == list(STAGES)
    untracked = run(clone, "git", "status", "--porcelain", "--untracked-files").splitlines()
    assert not [line for line in untracked if line.startswith("??")]

    shell(clone, back[0])
    assert "up to date" in run(clone, "dvc", "status")


def switched(command: str, source: Path, sha256: str) -> str:
    """The README's switch to FER2013 with another source in the real one's place, and one epoch."""
    return (
        f"{command} -S conf/data/fer2013.yaml:fetch.source={source} "
        f"-S conf/data/fer2013.yaml:fetch.sha256={sha256} -S conf/recipe/fast.yaml:train.epochs=1"
    )


@pytest.mark.slow
def test_tables_fit_a_screen_after_two_experiments_and_the_switch_to_fer2013(
    pulled, tmp_path, tiny_fer2013
):
    clone = copied(pulled, tmp_path / "clone")
    recipe = clone / "conf/recipe/sample.yaml"
    short = re.sub("epochs: .*", "epochs: 2", recipe.read_text(encoding="utf-8"))
    recipe.write_text(short, encoding="utf-8")
    run(clone, "git", "commit", "--all", "--quiet", "--message", "Short runs")
    _, (change, *_), _, (switch, chosen, _), *_ = blocks("The first hour")
    for rate in ("0.004", "0.006"):
        shell(clone, f"{change.replace('0.004', rate)} evaluate")
    names = re.findall(r"\[(\w+-\w+)\]", tables_on_screens(clone, "dvc params diff", "0.006"))
    assert len(names) == 2
    shell(clone, f"{switched(switch, *tiny_fer2013)} evaluate")
    table = tables_on_screens(clone, chosen, "fer2013", "fast")
    assert all(name in table for name in names)


def tables_on_screens(clone: Path, parameters: str, *values: str) -> str:
    """Find this run's scores and values of parameters in DVC's tables; that of `dvc exp show`."""
    _, (_, _, scores, show, _, plots), *_ = blocks("The first hour")
    path = clone / "data/evaluation/metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    overview = shell(clone, "dvc metrics show")
    changed, difference, narrow = (shell(clone, each, 80) for each in (parameters, scores, show))
    wide, scrolled = shell(clone, show), shell(clone, show.replace("--no-pager ", ""), 80)
    for columns, tables in ((80, changed + difference + narrow), (120, overview + wide)):
        assert max(map(len, tables.splitlines())) <= columns
    assert len(changed.splitlines()) <= 3
    assert len(difference.splitlines()) <= 12
    assert all(value in changed for value in values)
    for name, value in metrics.items():
        assert re.search(rf"{name} .*{round(value, 5)}", difference)
        assert f"{round(value, 5)}" in overview
    assert f"{metrics['val_acc']:.5g}" in narrow
    assert all(text in wide for text in [*values, *(f"{n:.5g}" for n in metrics.values())])
    assert wide == scrolled
    for command, revisions in (("dvc plots show", ["workspace"]), (plots, ["HEAD", "workspace"])):
        shell(clone, command)
        page = (clone / "dvc_plots/index.html").read_text(encoding="utf-8")
        assert all(f'"rev": "{revision}"' in page for revision in revisions)
    return wide


def no_picture_reaches_git(clone: Path) -> None:
    """After `dvc push` and `git add -A` on other people's pictures."""
    run(clone, "dvc", "push")
    assert any(path.is_file() for path in (clone / ".dvc/private/fer2013/files").rglob("*"))
    run(clone, "git", "add", "-A")
    staged = run(clone, "git", "diff", "--cached", "--name-only").split()
    assert "dvc.lock" in staged
    assert {Path(name).suffix for name in staged} <= {".yaml", ".lock", ".json"}
    run(clone, "git", "reset", "--quiet")


def some(clone) -> list[tuple[str, int]]:
    """Some training pictures of the sample, to stand for somebody's own."""
    places = archive.members(clone / "data/raw/images.zip")
    return [(name, place) for name, place in places.items() if name.startswith("train/")][::4]
