"""The page that `dvc plots show` writes, drawn by a real browser without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from facial_expression.core.files import write_csv
from tests.clones import ROOT, run
from tools.plots_page import main, page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
PLOTS = YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]
CHARTS = [title for entry in PLOTS if isinstance(entry, dict) for title in entry]
PICTURES = [entry for entry in PLOTS if isinstance(entry, str)]
SPLITS = {"train": 30, "val": 5, "test": 4}


def test_the_committed_page_is_what_the_command_writes(tmp_path):
    main(["--out", str(tmp_path / "page.html")])
    committed = ROOT / ".dvc" / "plots_page.html"
    assert (tmp_path / "page.html").read_bytes() == committed.read_bytes(), (
        "run `python -m tools.plots_page` and commit .dvc/plots_page.html"
    )


def test_dvc_finds_its_places_once_and_no_request_leaves_the_page():
    text = page()
    assert text.count("{plot_divs}") == text.count("{refresh_tag}") == 1
    assert "{scripts}" not in text  # there DVC would put Vega's addresses on a CDN
    assert_asks_for_nothing(text)
    assert all(line == line.rstrip() for line in text.split("\n"))  # what pre-commit would change


def assert_asks_for_nothing(html: str) -> None:
    """No element and no style of the page names something outside it."""
    assert not re.findall(
        r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)\s*=\s*.?(?:https?:)?//", html
    )
    assert not re.findall(r"@import|url\(\s*.?https?:", html)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A DVC repository with our own `plots:`, templates and page, and small tables; committed."""
    repo = tmp_path_factory.mktemp("repository")
    run(repo, "git", "init", "--quiet", "--initial-branch", "main")
    run(repo, "dvc", "init", "--quiet")
    for name in ("config", "plots_page.html"):
        shutil.copyfile(ROOT / ".dvc" / name, repo / ".dvc" / name)
    shutil.copytree(ROOT / ".dvc" / "plots", repo / ".dvc" / "plots", dirs_exist_ok=True)
    with (repo / "dvc.yaml").open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump({"plots": PLOTS}, stream)
    write_tables(repo / "data", epochs=3)
    shutil.copytree(ROOT / "results", repo / "results")
    for name in PICTURES:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 30), 90, np.uint8)).save(repo / name)
    run(repo, "git", "add", "--all")
    run(repo, "git", "commit", "--quiet", "--message", "Tables")
    return repo


def write_tables(data: Path, epochs: int) -> None:
    header = ("epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")
    rows = [(n, 0.001, 2 / n, 1 - 0.8 / n, 2.2 / n, 0.9 - 0.8 / n) for n in range(1, epochs + 1)]
    write_csv(data / "model" / "history.csv", header, rows)
    pairs = 3 * [("angry", "angry")] + [("angry", "sad")] + 5 * [("sad", "sad")]
    write_csv(data / "evaluation" / "confusion.csv", ("actual", "predicted"), pairs)
    scores = [("angry", 1.0, 0.75, 0.857143, 4), ("sad", 0.833333, 1.0, 0.909091, 5)]
    header = ("class", "precision", "recall", "f1", "support")
    write_csv(data / "evaluation" / "per_class.csv", header, scores)
    header = ("when", "temperature", "binning", "low", "high", "n", "confidence", "accuracy")
    bins = [
        (when, degree, binning, low, low + 0.5, 9, low + shift, low + 0.2)
        for when, degree, shift in (("before", 1.0, 0.4), ("after", 2.0, 0.25))
        for binning in ("equal_width", "equal_mass")
        for low in (0.0, 0.5)
    ]
    write_csv(data / "evaluation" / "reliability.csv", header, bins)
    curve = [(0.5, 0.1, 0.7), (1.0, 0.3, 0.4)]
    write_csv(data / "evaluation" / "risk_coverage.csv", ("coverage", "risk", "threshold"), curve)
    counts = [(name, split, n) for split, n in SPLITS.items() for name in ("angry", "sad")]
    write_csv(data / "index" / "class_counts.csv", ("class", "split", "count"), counts)


def drawn(html: Path, profile: Path) -> list[str]:
    """The chart drawings (SVG text) after a browser without a network has run the page."""
    assert_asks_for_nothing(html.read_text(encoding="utf-8"))
    quiet = "no-first-run disable-background-networking disable-component-update disable-sync"
    command = [
        CHROMIUM,
        *(f"--{flag}" for flag in f"headless no-sandbox disable-gpu {quiet}".split()),
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=10000",
        "--dump-dom",
        html.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return re.findall(r'<svg[^>]*class="marks".*?</svg>', done.stdout, flags=re.DOTALL)


@pytest.fixture(scope="module")
def shown(repository, tmp_path_factory) -> dict[str, str]:
    """The drawings of `dvc plots show`, by title."""
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    run(repository, "dvc", "plots", "show")
    return by_title(
        drawn(repository / "dvc_plots" / "index.html", tmp_path_factory.mktemp("profile"))
    )


def by_title(drawings: list[str]) -> dict[str, str]:
    found = {title: svg for svg in drawings for title in CHARTS if title in texts(svg)}
    assert len(found) == len(drawings)
    return found


def texts(svg: str) -> set[str]:
    return set(re.findall(r">([^<>]+)</text>", svg))


def test_show_draws_every_chart(shown):
    assert set(shown) == set(CHARTS)
    assert all(re.search(r"mark-(line|rect)", svg) for svg in shown.values())


def test_show_brings_every_picture(repository, shown):
    html = (repository / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    sources = re.findall(r'<img src="(static/[^"]+)"', html)
    assert len(sources) == len(PICTURES)
    assert all((repository / "dvc_plots" / source).is_file() for source in sources)


def test_training_and_validation_share_a_chart(shown):
    assert {"loss", "val_loss"} <= texts(shown["Loss by epoch"])
    assert {"accuracy", "val_accuracy"} <= texts(shown["Accuracy by epoch"])


def test_rows_of_the_confusion_are_recall(shown):
    (title,) = (title for title in shown if title.startswith("Confusion"))
    cells = re.findall(r">(\d+%)</text>", shown[title])
    assert sorted(cells) == ["0%", "100%", "25%", "75%"]  # 3 of 4 angry, 5 of 5 sad


def test_every_class_has_a_bar_for_each_split(shown):
    (title,) = (title for title in shown if title.startswith("Pictures"))
    assert set(SPLITS) <= texts(shown[title])
    assert shown[title].count('aria-roledescription="bar"') == 2 * len(SPLITS)


def test_reliability_has_one_mark_for_each_bin_of_equal_mass(shown):
    (title,) = (title for title in shown if title.startswith("Reliability"))
    assert {"before", "after"} <= texts(shown[title])
    assert shown[title].count('aria-roledescription="point"') == 2 * 2


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
def test_diff_draws_both_revisions(repository, tmp_path):
    changed = shutil.copytree(repository, tmp_path / "changed")
    write_tables(changed / "data", epochs=5)
    run(changed, "dvc", "plots", "diff", "HEAD")
    charts = by_title(drawn(changed / "dvc_plots" / "index.html", tmp_path / "profile"))
    assert {title for title, svg in charts.items() if {"HEAD", "workspace"} <= texts(svg)} == {
        *CHARTS
    }
