"""tools.report on the committed sample, parsed, and laid out by a real browser."""

from __future__ import annotations

import functools
import html
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from facial_expression.core.errors import DatasetError, ParameterError
from facial_expression.core.files import read_csv, write_csv
from tests.clones import make_clone, run
from tests.test_plots_page import CHROMIUM, assert_asks_for_nothing
from tools.report import __main__ as report
from tools.report import expected
from tools.report.expected import WRITTEN_BY

pytestmark = pytest.mark.pipeline

HOSTILE = 'ang<b onclick="x">&ry'
SCORED = ("test.n", "val_flip.accuracy", "test_leak_free.accuracy_high")
VOID = {"br", "img", "meta", "link", "input", "hr"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the committed sample's files."""
    clone = make_clone(tmp_path_factory.mktemp("report"))
    run(clone, "dvc", "pull")
    return clone


@pytest.fixture
def changed(clone: Path, tmp_path: Path) -> Path:
    """What a report reads, outside of git, to be changed; small figures make it quick."""
    for name in [f"data/{name}" for name in WRITTEN_BY] + ["params.yaml", "dvc.lock"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clone / name, tmp_path / name)
    shutil.copytree(clone / "conf", tmp_path / "conf")
    for path in (tmp_path / "data/plots").iterdir():
        Image.new("L", (600, 9), 90).save(path)
    return tmp_path


def written(folder: Path, *options: str) -> str:
    out = folder / "data" / "report.html"
    report.main(["--run", str(folder / "data"), "--out", str(out), *options])
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(clone: Path) -> str:
    return written(clone)


class Reader(HTMLParser):
    """What a page is made of; raises where a tag closes another one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_nothing_of_the_page_lies_outside_it(page):
    reader = Reader(page)
    addresses = [
        value
        for _, attributes in reader.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "poster")
    ]
    ids = {attributes["id"] for _, attributes in reader.elements if "id" in attributes}
    assert len(addresses) > 20
    for address in addresses:
        assert address.startswith("data:image/webp;base64,") or address.removeprefix("#") in ids
    assert not reader.all("script")
    assert_asks_for_nothing(page)
    assert len(page.encode()) < report.LIMIT


def test_it_is_a_document_for_every_reader(page):
    reader = Reader(page)
    assert reader.all("html") == [{"lang": "en"}]
    names = [tag for tag, _ in reader.elements]
    levels = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 == levels.count(1)
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    pictures = reader.all("img")
    assert len(pictures) == names.count("figure") == names.count("figcaption") == 12
    texts = [picture["alt"] for picture in pictures]
    assert len(set(texts)) == 12
    assert all(len(text) > 40 for text in texts)
    assert all(head.get("scope") in ("row", "col") for head in reader.all("th"))
    assert names.count("caption") >= 8
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_the_numbers_are_those_of_the_stages(clone, page):
    metrics = json.loads((clone / "data/evaluation/metrics.json").read_text("utf-8"))
    scores, text = metrics["test"], Reader(page).text
    accuracy, low, high = (100 * scores[f"accuracy{end}"] for end in ("", "_low", "_high"))
    assert f"{accuracy:.1f} % of {scores['n']} drawn pictures of test" in text
    assert f"interval {low:.1f} to {high:.1f}" in text
    assert f"{scores['macro_f1']:.3f}" in text
    assert "Always answering happy" in text
    for row in read_csv(clone / "data/evaluation/per_class.csv"):
        assert f"{row['class']} {float(row['precision']):.3f} {float(row['recall']):.3f}" in text
    parity = json.loads((clone / "data/export/parity.json").read_text("utf-8"))
    assert f"{parity['other_class']} of {parity['decisive']} decisive pictures" in text
    assert "Synthetic: drawn faces" in text
    assert "may be of different runs" not in text


def test_limits_are_the_cards_and_come_before_the_scores(clone, page):
    card = (clone / "data/export/model_card.md").read_text(encoding="utf-8")
    limits = card.partition("## Bias, risks and limitations\n")[2].partition("\n## ")[0]
    top = Reader(
        page.partition("<main>")[0].replace("<body>", "").replace("<html lang", "<br lang")
    )
    for sentence in limits.strip().removeprefix("- ").split("\n- "):
        assert " ".join(sentence.split()) in top.text
    assert "AI Act" in top.text


def test_the_default_place_is_ignored_and_the_same_run_gives_the_same_bytes(
    clone, page, monkeypatch, capsys
):
    monkeypatch.chdir(clone)
    (clone / "data/report.html").unlink()
    report.main([])
    assert (clone / "data/report.html").read_text(encoding="utf-8") == page
    assert "wrote data/report.html" in capsys.readouterr().out
    assert run(clone, "git", "status", "--porcelain") == ""


def test_a_page_that_no_mail_carries_is_said(clone, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "LIMIT", 10)
    report.main(["--run", str(clone / "data"), "--out", str(tmp_path / "report.html")])
    assert "a lower plot.dpi makes it smaller" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["report.html", "docs/new/report.html", "data/README.md"])
def test_a_path_that_git_would_track_is_refused(clone, name, page):
    before = run(clone, "git", "status", "--porcelain")
    with pytest.raises(ParameterError, match="git would track") as caught:
        report.main(["--run", str(clone / "data"), "--out", str(clone / name)])
    assert "\n" not in str(caught.value)
    assert run(clone, "git", "status", "--porcelain") == before


def test_a_link_into_the_repository_is_refused(clone, tmp_path):
    (tmp_path / "elsewhere").symlink_to(clone / "docs")
    with pytest.raises(ParameterError, match="git would track"):
        report.main(["--run", str(clone / "data"), "--out", str(tmp_path / "elsewhere/r.html")])


@pytest.mark.parametrize("name", WRITTEN_BY)
def test_a_missing_file_is_one_line_that_names_the_stage(changed, name):
    (changed / "data" / name).unlink()
    with pytest.raises(DatasetError) as caught:
        written(changed)
    message = str(caught.value)
    assert name in message
    assert f"run the {WRITTEN_BY[name]} stage" in message
    assert "\n" not in message
    assert not (changed / "data/report.html").exists()


def test_a_run_that_is_nowhere_is_one_line(tmp_path):
    with pytest.raises(DatasetError, match="found no folder; mend --run"):
        written(tmp_path)


def test_a_run_that_is_nowhere_comes_before_what_git_would_track(clone, monkeypatch):
    monkeypatch.chdir(clone)
    with pytest.raises(DatasetError, match="nope: expected the data/ of a run, found no folder"):
        report.main(["--run", "nope"])


def test_missing_parameters_are_one_line(changed):
    (changed / "params.yaml").unlink()
    with pytest.raises(ParameterError, match=r"params\.yaml: expected the parameters of the run"):
        written(changed)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("index/audit.json", "{", "expected JSON"),
        ("evaluation/metrics.json", "{}", "expected an entry 'protocol'"),
        ("model/history.csv", "epoch,loss\n", "expected rows"),
        ("plots/curves.png", "no picture", "expected a PNG"),
        ("export/model_card.md", "# Another card\n", "expected a part"),
    ],
)
def test_a_broken_file_is_one_line(changed, name, content, found):
    (changed / "data" / name).write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=found) as caught:
        written(changed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("raw/source.json", b"{}", "expected an entry 'kind', found none; run the fetch stage"),
        ("raw/source.json", b"[1]", r"expected keys, found \[1\]; run the fetch stage"),
        ("model/history.csv", b"epoch,loss\n1,2\n", "expected accuracy in row 1, found none"),
        ("index/class_counts.csv", b"class,split,count\nsad,val,x\n", "a number as count in row 1"),
        ("evaluation/per_class.csv", b"class\nsad\xff\n", "a table in UTF-8.*evaluate stage"),
        ("index/audit.csv", b"path,kind\n\xfe\n", "a table in UTF-8.*the index stage"),
        ("export/model_card.md", b"# \xff", "a text in UTF-8.*the export stage"),
        ("export/parity.json", b"\xff", "expected JSON.*the export stage"),
        ("../dvc.lock", b"stages: 3", "stages by name, found 3; run dvc repro"),
        ("../dvc.lock", b"stages: {fetch: {outs: [{path: data}]}}", "path, md5 and size.*fetch"),
        ("../dvc.lock", b"- 1", "expected keys.*run dvc repro"),
        ("../dvc.lock", b"\xff", "UTF-8.*run dvc repro"),
    ],
)
def test_a_torn_file_is_one_line_that_names_it_and_its_stage(changed, name, content, found):
    (changed / "data" / name).write_bytes(content)
    with pytest.raises(DatasetError, match=found) as caught:
        written(changed)
    assert Path(name).name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (changed / "data/report.html").exists()


@pytest.mark.parametrize("name", expected.ENTRIES)
def test_each_entry_is_missed_and_so_is_its_kind(changed, name):
    path = changed / "data" / name
    for entry in [*expected.ENTRIES[name], *(SCORED if "metrics" in name else [])]:
        whole = path.read_bytes()
        *above, last = entry.split(".")
        for value, found in ((None, "found none"), ([], r"found \[\]")):
            torn = json.loads(whole)
            functools.reduce(dict.__getitem__, above, torn)[last] = value
            path.write_text(json.dumps(torn), encoding="utf-8")
            with pytest.raises(DatasetError, match=f"'{re.escape(entry)}', {found}"):
                expected.facts(changed / "data", name)
        path.write_bytes(whole)
    expected.facts(changed / "data", name)


def test_half_an_interval_is_missed(changed):
    path = changed / "data/evaluation/metrics.json"
    torn = json.loads(path.read_text(encoding="utf-8"))
    del torn["test_leak_free"]["macro_f1_high"]
    path.write_text(json.dumps(torn), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"'test_leak_free\.macro_f1_high', found none"):
        written(changed)


@pytest.mark.parametrize("name", expected.COLUMNS)
def test_each_column_is_missed(changed, name):
    rows = list(read_csv(changed / "data" / name))
    for column in expected.COLUMNS[name]:
        header = [key for key in rows[0] if key != column]
        write_csv(changed / "data" / name, header, [[row[key] for key in header] for row in rows])
        with pytest.raises(DatasetError, match=f"expected {column} in row 1, found none"):
            expected.table(changed / "data", name)


def test_names_of_classes_are_text_whatever_they_hold(changed):
    for name in ("evaluation/per_class", "evaluation/confusion", "evaluation/confused_pairs",
                 "index/class_counts"):  # fmt: skip
        path = changed / "data" / f"{name}.csv"
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        cells = [[HOSTILE if cell == "angry" else cell for cell in row.split(",")] for row in rows]
        write_csv(path, header.split(","), cells)
    card = changed / "data/export/model_card.md"
    image = "![x](https://example.org/x.png) <https://example.org/>"
    text = card.read_text("utf-8").replace("angry", f"{HOSTILE} {image}")
    card.write_text(text, encoding="utf-8")
    reader = Reader(written(changed))
    assert not any("onclick" in attributes for _, attributes in reader.elements)
    assert not reader.all("b")
    assert len(reader.all("img")) == 12
    assert {link["href"][0] for link in reader.all("a")} == {"#"}
    assert HOSTILE in reader.text


def test_files_of_another_run_are_named(changed, capsys):
    history = changed / "data/model/history.csv"
    history.write_text(history.read_text("utf-8").replace("0.", "0.0"), encoding="utf-8")
    recipe = changed / "conf/recipe/sample.yaml"
    recipe.write_text(recipe.read_text("utf-8").replace("epochs: ", "epochs: 1"), encoding="utf-8")
    text = Reader(written(changed)).text
    assert "data/model/history.csv is not the file that dvc.lock names." in text
    assert "conf/recipe/sample.yaml: train is not what stage train read." in text
    assert "note:" in capsys.readouterr().err
    (changed / "dvc.lock").unlink()
    assert "There is no dvc.lock" in Reader(written(changed)).text


def test_paths_of_this_disk_stay_here(changed):
    data = changed / "conf/data/sample.yaml"
    text = data.read_text("utf-8").replace("source: sample", f"source: {changed}/faces.zip", 1)
    data.write_text(text, encoding="utf-8")
    page = written(changed)
    assert str(changed) not in page
    assert "source: a local copy" in page


def test_real_faces_are_not_called_synthetic(changed):
    source = changed / "data/raw/source.json"
    source.write_text(source.read_text("utf-8").replace('"sample"', '"local"'), encoding="utf-8")
    text = Reader(written(changed)).text
    assert "Synthetic:" not in text
    assert "drawn pictures of" not in text


def test_texts_stand_out_in_light_and_in_dark(page):
    light, dark, _ = re.findall(r":root \{(.*?)\}", page, flags=re.DOTALL)
    for block in (light, light + dark):  # what dark leaves out, it keeps
        colours = dict(re.findall(r"--([\w-]+): (#\w+);", block))
        for text in ("ink", "soft", "link"):
            assert contrast(colours[text], colours["paper"]) >= 7  # level AAA of WCAG 2.2
            assert contrast(colours[text], colours["tint"]) >= 7
        assert contrast(colours["warn"], colours["warn-tint"]) >= 7


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rgb or #rrggbb colours, https://www.w3.org/TR/WCAG22/."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        levels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


WRAPPER = """<!doctype html><iframe src="{name}" style="width: {width}px; height: 900px; border: 0">
</iframe><pre></pre><script>onload = () => {{
  const frame = document.querySelector("iframe"), page = frame.contentDocument;
  document.querySelector("pre").textContent = JSON.stringify({{
    client: page.documentElement.clientWidth, scroll: page.documentElement.scrollWidth,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map(one => one.name)
      .filter(name => !name.startsWith("data:")),
    pictures: [...page.images].map(image => image.naturalWidth),
  }});
}}</script>"""


def laid_out(page: Path, width: int) -> dict:
    """What a browser without a network makes of the page in a window of that width."""
    wrapper = page.with_name(f"wrapper-{width}.html")
    wrapper.write_text(WRAPPER.format(name=page.name, width=width), encoding="utf-8")
    quiet = "no-first-run disable-background-networking disable-component-update disable-sync"
    command = [
        CHROMIUM,
        *(f"--{flag}" for flag in f"headless no-sandbox disable-gpu {quiet}".split()),
        *("--allow-file-access-from-files", "--hide-scrollbars"),
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={page.parent / 'profile'}",
        "--window-size=1400,1000",
        "--virtual-time-budget=10000",
        "--dump-dom",
        wrapper.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r"<pre>(.+?)</pre>", done.stdout)
    assert found, done.stdout[-2000:]
    return json.loads(html.unescape(found.group(1)))


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_all_of_it_in_its_width_and_asks_for_nothing(page, tmp_path, width):
    path = tmp_path / "report.html"
    opened = page.replace("<details>", "<details open>")  # what a reader opens must fit as well
    path.write_text(opened, encoding="utf-8")
    found = laid_out(path, width)
    assert found["scroll"] <= found["client"] == width
    assert found["requests"] == []
    assert len(found["pictures"]) == 12
    assert min(found["pictures"]) > 500


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
def test_the_browser_sees_overflow_and_requests_where_there_are(tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        '<!doctype html><p style="width: 800px">wide</p><img src="http://127.0.0.1:9/x.png">',
        encoding="utf-8",
    )
    found = laid_out(path, 390)
    assert found["scroll"] > found["client"]
    assert found["requests"] == ["http://127.0.0.1:9/x.png"]
