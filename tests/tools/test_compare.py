"""tools.compare on a tiny repository with a real dvc and a real git."""

import re
from pathlib import Path

import pytest
from scipy.stats import t

from facial_expression.core.errors import DatasetError, PipelineError
from tests.clones import run
from tools import compare

DVC_YAML = """\
stages:
  train:
    cmd: python write.py
    deps: [write.py]
    params: [right, label, train]
    outs: [data/evaluation/predictions]
"""
PARAMS = """\
right: {right}
label: {label}
train:
  seed: {seed}
  epochs: {epochs}
"""
WRITE = """\
from pathlib import Path
lines = Path("params.yaml").read_text().splitlines()[:2]
right, label = (line.partition(": ")[2] for line in lines)
folder = Path("data/evaluation/predictions")
folder.mkdir(parents=True)
rows = [f"{i}.png,{label},{'happy' if i < int(right) else 'sad'},0.5,0.5" for i in range(100)]
(folder / "val.csv").write_text("\\n".join(["path,actual,predicted,happy,sad", *rows, ""]))
"""


def repro(where: Path, right: int, seed: int, label: str = "happy", epochs: int = 9) -> None:
    """A run in which so many of 100 pictures are right."""
    text = PARAMS.format(right=right, seed=seed, label=label, epochs=epochs)
    (where / "params.yaml").write_text(text, encoding="utf-8")
    run(where, "dvc", "repro")


def commit(where: Path, tag: str, *facts: object, **more: object) -> None:
    """A run that is committed under a tag."""
    repro(where, *facts, **more)
    run(where, "git", "add", "--all")
    run(where, "git", "commit", "--quiet", "--message", tag)
    run(where, "git", "tag", tag)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Tags of runs with seeds 0 and 1; the experiment seventy; 80 in the workspace."""
    where = tmp_path_factory.mktemp("repository")
    run(where, "git", "init", "--quiet", "--initial-branch", "main")
    run(where, "dvc", "init", "--quiet")
    (where / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    (where / "write.py").write_text(WRITE, encoding="utf-8")
    commit(where, "relabelled", 60, 0, label="sad")
    commit(where, "fifty", 50, 0)
    commit(where, "longer", 50, 1, epochs=10)
    commit(where, "fifty-two", 52, 1)
    commit(where, "sixty", 60, 0)
    run(where, "dvc", "exp", "run", "--name", "seventy", "--set-param", "right=70")
    repro(where, 80, 1)
    return where


@pytest.fixture
def here(repository, monkeypatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    compare.main(argv)
    return capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_two_revisions_that_differ(capsys):
    out = said(capsys, "fifty", "sixty")
    assert out.startswith("split val\nA = fifty, B = sixty: 100 pictures")
    assert "accuracy        A 50.00 %, B 60.00 %" in out
    assert "+10.00 points (" in out
    assert "A 0, B 10: McNemar's exact test p = 0.002" in out
    # happy is always actual: F1 of happy is 2 r / (r + 1), of sad 0, their mean r / (r + 1)
    assert f"macro F1        A {0.5 / 1.5:.4f}, B {0.6 / 1.6:.4f}" in out
    assert f"{0.6 / 1.6 - 0.5 / 1.5:+.4f} (" in out
    assert "larger than noise: sixty is more accurate than fifty" in out
    assert "sixty is more accurate than fifty" in said(capsys, "sixty", "fifty")


@pytest.mark.usefixtures("here")
def test_two_that_do_not(capsys):
    assert "not larger than noise (p = 0.500)" in said(capsys, "fifty", "fifty-two")
    assert "Both are right on the same pictures." in said(capsys, "sixty", "main")


@pytest.mark.usefixtures("here")
def test_runs_of_one_recipe_and_of_two(capsys):
    out = said(capsys, "--seeds", "fifty", "fifty-two")
    assert "mean 51.00 %, standard deviation 1.41 points, n = 2" in out
    assert "B - A" not in out
    out = said(capsys, "--seeds", "fifty", "fifty-two", "--against", "seventy", "workspace")
    assert re.search(r"accuracy\s+B\s+mean 75.00 %, standard deviation 7.07 points, n = 2", out)
    low, high = map(float, re.findall(r"\+24\.00 points \((\S+) to (\S+);", out)[0])
    half = t.ppf(0.975, 26**2 / (1**2 + 25**2)) * 26**0.5  # the means' variances are 1 and 25
    assert (low, high) == (pytest.approx(24 - half, abs=0.01), pytest.approx(24 + half, abs=0.01))
    assert "not larger than the noise of the seeds" in out


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("argv", "kind", "reason"),
    [
        (["fifty", "nope"], PipelineError, "^nope: expected a commit.*unknown Git revision 'nope'"),
        (["fifty", "sixty", "--split", "test"], DatasetError, "^fifty: expected .*test.csv, found"),
        (
            ["fifty", "relabelled"],
            DatasetError,
            "0 pictures only in fifty, 0 only in relabelled and 100 of the 100 shared",
        ),
        (
            ["--seeds", "fifty", "longer"],
            PipelineError,
            r"^fifty and longer: .* differ by train\.seed only, found train\.epochs 9 and 10;",
        ),
        (
            ["--seeds", "fifty", "fifty-two", "--against", "sixty", "sixty"],
            PipelineError,
            r"^sixty and sixty: expected another train\.seed in each, found 0 in both",
        ),
    ],
)
def test_a_mistake_is_one_line(argv, kind, reason):
    with pytest.raises(kind, match=reason):
        compare.main(argv)


@pytest.mark.usefixtures("here")
def test_predictions_that_are_in_no_cache_are_named(repository, tmp_path, monkeypatch):
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(repository), str(clone))
    monkeypatch.chdir(clone)
    with pytest.raises(DatasetError, match=r"^fifty: expected .* found none .*dvc fetch"):
        compare.main(["fifty", "sixty"])


@pytest.mark.parametrize(
    "argv", [["a", "b", "c"], ["a", "b", "--seeds", "c"], ["--seeds", "a", "b", "--against", "c"]]
)
def test_a_wrong_number_of_revisions_is_refused(argv, capsys):
    with pytest.raises(SystemExit):
        compare.main(argv)
    assert "expect" in capsys.readouterr().err


TEXT = "path,actual,predicted,happy,sad\nb.png,sad,sad,0.2,0.8\na.png,happy,sad,0.4,0.6\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "expected a CSV table"),
        (TEXT + "a.png,sad,sad,0,1\n", "path a.png is there twice"),
        (TEXT + "c.png,sad,angry,0,1\n", "1 of 3 rows with another class"),
    ],
)
def test_what_is_no_table_is_refused(text, found):
    with pytest.raises(DatasetError, match=f"^main: .*{found}"):
        compare.parse(text.encode(), "main")


def test_runs_are_joined_by_path_whatever_their_order():
    one = compare.parse(TEXT.encode(), "one")
    header, first, second = TEXT.splitlines(keepends=True)
    changed = header + second.replace("happy,sad", "happy,happy") + first
    other = compare.parse(changed.encode(), "other")
    actual, (a, b) = compare.aligned([one, other])
    assert actual.tolist() == [1, 0]
    assert a.tolist() == [1, 1]
    assert b.tolist() == [1, 0]
