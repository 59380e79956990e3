"""The page that `dvc plots show` writes, drawn by a real browser without a network."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.browsing import assert_asks_for_nothing, dumped, needs_chromium
from tests.clones import ROOT, run
from tools.plots_page import main

PLOTS = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
CHARTS = [title for entry in PLOTS if isinstance(entry, dict) for title in entry]
PICTURES = [entry for entry in PLOTS if isinstance(entry, str)]
SPLITS = {"train": 30, "val": 5, "test": 4}


def test_the_committed_page_has_the_vega_that_is_installed(tmp_path):
    committed = (ROOT / ".dvc" / "plots_page.html").read_text(encoding="utf-8")
    before, script, after = re.split(
        r"(?<=<script>\n)(.*?)(?=\n</script>)", committed, maxsplit=1, flags=re.DOTALL
    )
    assert len(script) > 500_000
    page = tmp_path / "page.html"
    page.write_text(f"{before.replace('holds Vega ', 'holds Vega 0.')}old();{after}", "utf-8")
    main(["--page", str(page)])
    assert page.read_text(encoding="utf-8") == committed, (
        "run `python -m tools.plots_page` and commit .dvc/plots_page.html"
    )


def test_dvc_finds_its_places_once_and_no_request_leaves_the_page():
    text = (ROOT / ".dvc" / "plots_page.html").read_text(encoding="utf-8")
    assert text.count("{plot_divs}") == text.count("{refresh_tag}") == 1
    assert "{scripts}" not in text  # there DVC would put Vega's addresses on a CDN
    assert_asks_for_nothing(text)
    assert all(line == line.rstrip() for line in text.split("\n"))  # what pre-commit would change


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A DVC repository with our own `plots:`, templates and page, and small tables; committed."""
    repo = tmp_path_factory.mktemp("repository")
    run(repo, "git", "init", "--quiet", "--initial-branch", "main")
    run(repo, "dvc", "init", "--quiet")
    for name in ("config", "plots_page.html"):
        shutil.copyfile(ROOT / ".dvc" / name, repo / ".dvc" / name)
    shutil.copytree(ROOT / ".dvc" / "plots", repo / ".dvc" / "plots", dirs_exist_ok=True)
    (repo / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}), encoding="utf-8")
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
    table(data / "model" / "history.csv", header, rows)
    pairs = 3 * [("angry", "angry")] + [("angry", "sad"), ("fear", "angry")] + 5 * [("sad", "sad")]
    table(data / "evaluation" / "confusion.csv", ("actual", "predicted"), pairs)
    scores = [("angry", 1.0, 0.75, 0.857143, 4), ("sad", 0.833333, 1.0, 0.909091, 5)]
    header = ("class", "precision", "recall", "f1", "support")
    table(data / "evaluation" / "per_class.csv", header, scores)
    header = ("when", "temperature", "binning", "low", "high", "n", "confidence", "accuracy")
    bins = [
        (when, degree, binning, low, low + 0.5, 9, low + shift, low + 0.2)
        for when, degree, shift in (("before", 1.0, 0.4), ("after", 2.0, 0.25))
        for binning in ("equal_width", "equal_mass")
        for low in (0.0, 0.5)
    ]
    table(data / "evaluation" / "reliability.csv", header, bins)
    curve = [(0.5, 0.1, 0.7), (1.0, 0.3, 0.4)]
    table(data / "evaluation" / "risk_coverage.csv", ("coverage", "risk", "threshold"), curve)
    counts = [(name, split, n) for split, n in SPLITS.items() for name in ("angry", "sad")]
    table(data / "index" / "class_counts.csv", ("class", "split", "count"), counts)


def table(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=list(header)).to_csv(path, index=False)


def drawn(html: Path, profile: Path, width: int) -> dict[str, str]:
    """The charts (SVG text) by their title, after a browser has run the page."""
    assert_asks_for_nothing(html.read_text(encoding="utf-8"))
    document = dumped(html, profile, width)
    drawings = re.findall(r'<svg[^>]*class="marks".*?</svg>', document, re.DOTALL)
    assert len(drawings) == len(CHARTS)
    return dict(zip(CHARTS, drawings, strict=True))  # in the order of dvc.yaml


def texts(svg: str) -> set[str]:
    return set(re.findall(r">([^<>]+)</(?:text|tspan)>", svg))


def axes(svg: str) -> dict[str, list[str]]:
    """The labels along each axis of a chart, by the axis' title."""
    titles = re.findall(r"[XY]-axis titled '([^']*)'", svg)
    groups = re.findall(r'<g class="mark-text role-axis-label".*?</g>', svg, re.DOTALL)
    labels = [re.findall(r">([^<>]+)</text>", group) for group in groups]
    return dict(zip(titles, labels, strict=True))


@pytest.mark.slow
@needs_chromium
def test_show_draws_every_chart_and_brings_every_picture(repository, tmp_path):
    run(repository, "dvc", "plots", "show")
    html = repository / "dvc_plots" / "index.html"
    sources = re.findall(r'<img src="(static/[^"]+)"', html.read_text(encoding="utf-8"))
    assert len(sources) == len(PICTURES)
    assert all((html.parent / source).is_file() for source in sources)
    shown = drawn(html, tmp_path, 1400)
    assert all(title in texts(svg) for title, svg in shown.items())
    assert {"loss", "val_loss"} <= texts(shown["Loss by epoch"])
    by_word = {title.split()[0]: svg for title, svg in shown.items()}
    cells = re.findall(r">(\d+%)</text>", by_word["Confusion"])
    # angry: 3 of 4 right; fear: never predicted, its one picture is called angry; sad: 5 of 5
    assert sorted(cells) == [*5 * ["0%"], "100%", "100%", "25%", "75%"]
    classes = ["angry", "fear", "sad"]
    assert axes(by_word["Confusion"]) == {"actual": classes, "predicted": classes}
    assert axes(by_word["Loss"])["epoch"] == ["1", "2", "3"]
    assert set(SPLITS) <= texts(by_word["Pictures"])
    assert by_word["Pictures"].count('aria-roledescription="bar"') == 2 * len(SPLITS)
    assert {"before", "after"} <= texts(by_word["Reliability"])
    assert by_word["Reliability"].count('aria-roledescription="point"') == 2 * 2  # of equal mass


@pytest.mark.slow
@needs_chromium
def test_diff_draws_both_revisions_in_a_narrow_window(repository, tmp_path):
    changed = shutil.copytree(repository, tmp_path / "changed")
    write_tables(changed / "data", epochs=5)
    run(changed, "dvc", "plots", "diff", "HEAD")
    charts = drawn(changed / "dvc_plots" / "index.html", tmp_path / "profile", 500)
    for svg in charts.values():
        assert {"HEAD", "workspace"} <= texts(svg)
        assert int(re.findall(r' width="(\d+)"', svg)[0]) < 450  # margins take the rest
