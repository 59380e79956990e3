"""tools.report on the committed sample: parsed, and laid out by a real browser."""

import html
import itertools
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from facial_expression.core.errors import DatasetError, ParameterError
from tests.browsing import assert_asks_for_nothing, dumped, needs_chromium
from tests.clones import edited, run
from tools.draw_sample import ARCHIVE
from tools.report import __main__ as report
from tools.report.run import ENTRIES, PLOTS, SAMPLE, TABLES

pytestmark = pytest.mark.pipeline

HOSTILE = 'ang<b onclick="x">&ry'
VOID = {"br", "img", "meta", "link", "input", "hr"}
SHALLOW = json.dumps(dict.fromkeys(ENTRIES["evaluation/scores.json"], "val")).encode()
READ = (
    *TABLES,
    *(f"plots/{name}.png" for name in PLOTS),
    *ENTRIES,
    "export/model_card.md",
)


@pytest.fixture
def changed(pulled, tmp_path) -> Path:
    """What a report reads, outside of git, to be changed; small figures make it quick."""
    for name in [*(f"data/{name}" for name in READ), "params.yaml"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pulled / name, tmp_path / name)
    shutil.copytree(pulled / "conf", tmp_path / "conf")
    for path in (tmp_path / "data/plots").iterdir():
        Image.new("L", (600, 9), 90).save(path)
    return tmp_path


def written(folder: Path) -> str:
    out = folder / "data" / "report.html"
    report.main(["--run", str(folder / "data")])
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(pulled) -> str:
    return written(pulled)


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
    assert len(pictures) == names.count("figure") == names.count("figcaption") == len(PLOTS)
    texts = [picture["alt"] for picture in pictures]
    assert len(set(texts)) == len(PLOTS)
    assert all(len(text) > 40 for text in texts)
    assert all(head.get("scope") in ("row", "col") for head in reader.all("th"))
    assert names.count("caption") >= 8
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_the_numbers_are_those_of_the_stages(pulled, page):
    metrics = json.loads((pulled / "data/evaluation/scores.json").read_text("utf-8"))
    scores, text = metrics["test"], Reader(page).text
    accuracy, low, high = (100 * scores[f"accuracy{end}"] for end in ("", "_low", "_high"))
    assert f"{accuracy:.1f} % of {scores['n']} drawn pictures of test" in text
    assert f"interval {low:.1f} to {high:.1f}" in text
    assert f"{scores['macro_f1']:.3f}" in text
    for row in pd.read_csv(pulled / "data/evaluation/per_class.csv").itertuples():
        assert f"{row[1]} {row.precision:.3f} {row.recall:.3f}" in text
    assert "Synthetic: drawn faces" in text
    assert "may be of different runs" not in text
    lock = (pulled / "dvc.lock").read_text(encoding="utf-8")
    md5 = re.findall(r"- path: data/model/model.keras\n +hash: md5\n +md5: (\w+)", lock)
    assert md5[0] in text


def test_limits_are_the_cards_and_come_before_the_scores(pulled, page):
    card = (pulled / "data/export/model_card.md").read_text(encoding="utf-8")
    limits = card.partition("## Bias, risks and limitations\n")[2].partition("\n## ")[0]
    before = Reader(page).text.partition("Balanced accuracy is the mean recall")[0]
    for sentence in limits.strip().removeprefix("- ").split("\n- "):
        assert " ".join(sentence.split()) in before
    assert "AI Act" in before


def test_the_default_place_is_ignored_and_the_same_run_gives_the_same_bytes(
    pulled, page, monkeypatch, capsys
):
    monkeypatch.chdir(pulled)
    monkeypatch.setattr(report, "LIMIT", 10)
    (pulled / "data/report.html").unlink()
    report.main([])
    assert (pulled / "data/report.html").read_text(encoding="utf-8") == page
    said = capsys.readouterr()
    assert "wrote data/report.html" in said.out
    assert "a lower plot.dpi makes it smaller" in said.err
    assert run(pulled, "git", "status", "--porcelain") == ""


def test_a_path_that_git_would_track_is_refused(pulled, tmp_path):
    (tmp_path / "link").symlink_to(pulled / "docs")
    for path in (pulled / "docs/new/report.html", pulled / "README.md", tmp_path / "link/r.html"):
        with pytest.raises(ParameterError, match="git would track"):
            report.main(["--run", str(pulled / "data"), "--out", str(path)])
    assert run(pulled, "git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("raw/source.json", None, "No such file.*the fetch stage"),
        ("evaluation/scores.json", SHALLOW, "expected what dvc repro -f writes, found damage"),
        ("raw/source.json", b"{}", "entry sha256, .*the fetch stage"),
        ("index/audit.json", b"{", "the index stage"),
        ("index/class_counts.csv", b"class,split,count\nsad,val,x\n", "column count.*the index"),
        ("model/history.csv", b"epoch,loss\n", "expected a column accuracy.*the train stage"),
        ("evaluation/scores.json", b"{}", "entry protocol, .*the evaluate stage"),
        ("plots/curves.png", b"no picture", "expected a PNG.*the plot stage"),
        ("export/model_card.md", b"# Another card\n", "expected a part.*the export stage"),
        ("../params.yaml", None, "expected the data/ of a run with params.yaml.*--run"),
        ("../conf/recipe/sample.yaml", b"a: [", "expected YAML"),
    ],
)
def test_a_missing_or_damaged_file_is_one_line_that_names_it(changed, name, content, found):
    path = changed / "data" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((DatasetError, ParameterError), match=found) as caught:
        written(changed)
    assert Path(name).name in str(caught.value)
    assert not (changed / "data/report.html").exists()


def test_names_of_classes_are_text_whatever_they_hold(changed):
    for name in TABLES:
        path = changed / "data" / name
        pd.read_csv(path).replace("angry", HOSTILE).to_csv(path, index=False)
    card = changed / "data/export/model_card.md"
    image = "![x](https://example.org/x.png) <https://example.org/>"
    text = card.read_text("utf-8").replace("angry", f"{HOSTILE} {image}")
    card.write_text(text, encoding="utf-8")
    reader = Reader(written(changed))
    assert not any("onclick" in attributes for _, attributes in reader.elements)
    assert not reader.all("b")
    assert len(reader.all("img")) == len(PLOTS)
    assert {link["href"][0] for link in reader.all("a")} == {"#"}
    assert HOSTILE in reader.text


def test_files_of_another_run_are_named(pulled, page, capsys):
    history, recipe = pulled / "data/model/history.csv", pulled / "conf/recipe/sample.yaml"
    code = pulled / "facial_expression/plot/style.py"
    with (
        edited(history, history.read_text("utf-8").replace("0.", "0.0")),
        edited(recipe, recipe.read_text("utf-8").replace("epochs: ", "epochs: 1")),
        edited(code, code.read_text("utf-8") + "# code says nothing of the files\n"),
    ):
        text = Reader(written(pulled)).text
    assert "data/model/history.csv is not the file that dvc.lock names." in text
    assert "data/model/history.csv is not what stage plot read." in text
    assert "conf/recipe/sample.yaml: train is not what stage train read." in text
    assert "facial_expression/plot" not in text
    assert "note:" in capsys.readouterr().err
    (pulled / "dvc.lock").rename(pulled / "moved.lock")
    assert "There is no dvc.lock" in Reader(written(pulled)).text
    (pulled / "moved.lock").rename(pulled / "dvc.lock")
    assert written(pulled) == page


def test_what_is_private_or_real_is_not_told_otherwise(changed):
    """A path of this disk stays here; real faces are not called drawn."""
    data, source = changed / "conf/data/sample.yaml", changed / "data/raw/source.json"
    text = data.read_text("utf-8").replace(str(ARCHIVE), f"{changed}/faces.zip", 1)
    data.write_text(text, encoding="utf-8")
    recipe = changed / "conf/recipe/sample.yaml"  # paths of other systems, and short ones
    text = recipe.read_text("utf-8").replace("origin: ''", 'origin: "C:\\\\Users\\\\ana"', 1)
    recipe.write_text(text.replace("sha256: ''", "sha256: /data", 1), encoding="utf-8")
    text = data.read_text("utf-8") + "\n# https://me:secret@host/a.zip?token=secret\n"
    data.write_text(text, encoding="utf-8")
    source.write_text(source.read_text("utf-8").replace(SAMPLE, "0" * 64), encoding="utf-8")
    page = written(changed)
    assert str(changed) not in page
    assert "source: a local copy" in page
    assert "Users" not in page
    assert "conf/data/sample.yaml" in page
    assert "secret" not in page
    assert "Synthetic:" not in page
    assert "drawn pictures of" not in Reader(page).text
    assert "There is no DVC repository" in page


def test_classes_without_a_picture_and_scores_by_attribute_stand_there(changed):
    path = changed / "data/evaluation/scores.json"
    assert "Scores by attribute" not in Reader(written(changed)).text
    scores = {"accuracy": 0.7, "balanced_accuracy": 0.65, "overconfidence": 0.1, "gap": -0.05}
    ends = {f"{name}_{end}": value for name, value in scores.items() for end in ("low", "high")}
    found = json.loads(path.read_text("utf-8")) | {
        "classes_absent": {"test": ["sad", "fear"]},
        "attributes": [{"attribute": "sex", "value": "female", "n": 81, **scores, **ends}],
    }
    path.write_text(json.dumps(found), encoding="utf-8")
    text = Reader(written(changed)).text
    head = text.partition("Protocol")[0]
    assert "There is no picture of sad, fear in test: macro F1 counts" in head
    assert "Scores by attribute, test" in text
    assert "sex: female 81 70.0 % 70.0 to 70.0 65.0 %" in text
    assert "-5.0 %" in text
    assert "shows neither a difference nor fairness" in text


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


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_all_of_it_in_its_width_and_asks_for_nothing(page, tmp_path, width):
    opened = page.replace("<details>", "<details open>")  # what a reader opens must fit as well
    (tmp_path / "report.html").write_text(opened, encoding="utf-8")
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(WRAPPER.format(name="report.html", width=width), encoding="utf-8")
    (told,) = re.findall(r"<pre>(.+?)</pre>", dumped(wrapper, tmp_path / "profile"))
    found = json.loads(html.unescape(told))
    assert found["scroll"] <= found["client"] == width
    assert found["requests"] == []
    assert len(found["pictures"]) == len(PLOTS)
    assert min(found["pictures"]) > 500
