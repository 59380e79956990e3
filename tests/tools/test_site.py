"""The page of tools.site agrees with Python; what it is made of; refusals."""

import importlib.util
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from facial_expression.core.errors import ChecksumError, SourceError
from facial_expression.inference.detection import Detector
from facial_expression.inference.network import Network
from tests.helpers import encoded
from tests.networks import tiny_network
from tests.serving import hosted
from tools.site import runtime
from tools.site.__main__ import RELEASED_INT8, main
from tools.site.page import NETWORKS
from tools.web.answer import Analyzer
from tools.web.examples import draw

pytestmark = pytest.mark.extra

DRAWN = draw()
SIDES = ("x", "y", "width", "height")
PHOTOGRAPHS = {
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "astronaut": ("skimage", "data/astronaut.png"),
}


def photograph(name: str) -> bytes:
    """One that a package installs, if it is installed."""
    package, path = PHOTOGRAPHS[name]
    spec = importlib.util.find_spec(package)
    if not spec or not spec.origin:
        pytest.skip(f"{package} is not installed")
    return (Path(spec.origin).parent / path).read_bytes()


def hopper() -> Image.Image:
    return Image.open(io.BytesIO(photograph("hopper"))).convert("RGB")


def crowd() -> bytes:
    """Faces of 24 to 100 pixels in a picture that is searched in tiles, some over its edge."""
    canvas = Image.new("RGB", (2401, 1600), (90, 100, 110))
    for number, height in enumerate((70, 90, 120, 150, 200, 300)):
        face = hopper().resize((height * 512 // 600, height))
        canvas.paste(face, (430 * number - 20, 255 * (number % 5) + 11 * number))
    return encoded(canvas)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn it by 90 degrees
    return encoded(hopper().rotate(90, expand=True), "JPEG", exif=exif, quality=90)


def transparent() -> bytes:
    picture = hopper()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return encoded(picture)


PICTURES = {
    **{name: lambda name=name: DRAWN[name] for name in DRAWN},
    **{name: lambda name=name: photograph(name) for name in PHOTOGRAPHS},
    **{each.__name__: each for each in (crowd, turned, transparent)},
    "grey": lambda: encoded(hopper().convert("L").resize((301, 903))),
    "large": lambda: encoded(hopper().resize((1536, 1800)), "JPEG", quality=85),
}


@pytest.fixture(scope="module")
def model(pulled) -> Path:
    return pulled / "released" / RELEASED_INT8.name


@pytest.fixture(scope="module")
def url(browser, model, tmp_path_factory) -> Iterator[str]:
    with hosted(tmp_path_factory.mktemp("site"), "--model", str(model)) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser, url) -> Iterator[Page]:
    page = browser.new_page(base_url=url)
    page.set_default_timeout(30_000)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto("/")
    yield page
    assert any("ort-wasm.wasm" in each for each in requests), "the worker's are listed too"
    assert [each for each in requests if not each.startswith((url, "data:", f"blob:{url}"))] == []


@pytest.fixture(scope="module")
def analyzer(model) -> Analyzer:
    return Analyzer(Network(model), Detector().find)


def shown(page: Page) -> Iterator[tuple[list[float], dict[str, float]]]:
    """The box (left, top, width, height) and the probabilities of each face on the page."""
    boxes = page.locator("#boxes rect.box")
    for number in range(boxes.count()):
        boxes.nth(number).dispatch_event("click")
        box = [float(boxes.nth(number).get_attribute(each) or "") for each in SIDES]
        rows = [row.split() for row in page.locator("#bars tr").all_inner_texts()]
        yield box, {name: float(share) / 100 for name, share, _ in rows}


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_the_page_finds_the_faces_and_probabilities_that_python_finds(page, analyzer, name):
    data = PICTURES[name]()
    answer = analyzer.analyze(data)
    page.locator("#status").evaluate("e => { e.textContent = '' }")
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})
    expect(page.locator("#status")).to_contain_text("face")
    faces = list(shown(page))
    assert len(faces) == len(answer["faces"]) == (6 if name == "crowd" else 1)
    assert f"{answer['width']} × {answer['height']}" in page.inner_text("#seen-caption")
    for (box, probabilities), face in zip(faces, answer["faces"], strict=True):
        left, top, width, height, _ = face["box"].values()
        assert box == pytest.approx([left, top, width, height], abs=1)
        expected = dict(zip(answer["classes"], face["probabilities"], strict=True))
        assert probabilities == pytest.approx(expected, abs=1e-2)


@pytest.mark.slow
def test_pictures_are_resampled_as_pillow_does_to_the_last_bit(page):
    draws = np.random.default_rng(0)
    cases, expected = [], []
    for number in range(60):
        width, height, columns, rows = map(int, draws.integers(1, 60, 4))
        name, gap = ("BILINEAR", "LANCZOS")[number // 2 % 2], number // 4 % 2
        shape = (height, width, 3) if number % 2 else (height, width)
        pixels = draws.integers(0, 256, shape, np.uint8)
        left, top = draws.uniform(0, 0.7, 2) * (width, height)
        right, bottom = (left, top) + draws.uniform(0.2, 1, 2) * (width - left, height - top)
        box = [0, 0, width, height] if number % 5 == 0 else [left, top, right, bottom]
        size, filter_ = (columns, rows), Image.Resampling[name]
        small = Image.fromarray(pixels).resize(size, filter_, box, 2 if gap else None)
        expected.append(np.asarray(small).ravel().tolist())
        picture = {"width": width, "height": height, "bands": pixels.size // (width * height)}
        cases.append([picture, pixels.ravel().tolist(), columns, rows, name, box, gap])
    found = page.evaluate(
        """async cases => {
          const {resize, ...filters} = await import("/engine/resample.js");
          return cases.map(([picture, data, columns, rows, name, box, gap]) => {
            picture.data = Uint8Array.from(data);
            return [...resize(picture, columns, rows, filters[name], box, gap ? 2 : Infinity).data];
          });
        }""",
        cases,
    )
    assert found == expected


@pytest.mark.slow
def test_the_networks_are_small_and_the_terms_are_on_the_page(page, url):
    assert sum(len(page.request.get(name).body()) for name in NETWORKS) <= 2e6
    text = page.inner_text("body")
    for words in (
        "Apparent expression, not emotion", "for research and teaching", "Article 5(1)(f)",
        "in this browser only", "Your picture stays in this browser",
    ):  # fmt: skip
        assert words in text
    page.get_by_text("Read the notes of the release").click()
    expect(page.get_by_text("MIT covers the code, not these weights").first).to_be_visible()
    notices = page.request.get("notices.txt").text()
    assert all(owner in notices for owner in ("Microsoft", "Shiqi Yu", "WITHOUT WARRANTY"))


# Refusals


def test_another_tarball_is_refused_and_nothing_is_written(tmp_path):
    model = tiny_network(tmp_path / "tiny.onnx")
    (tmp_path / "other.tgz").write_bytes(b"not it")
    out = tmp_path / "site"
    with pytest.raises(ChecksumError, match=r"other.tgz: expected the tarball of onnxruntime-web@"):
        main(["--out", str(out), "--model", str(model), "--runtime", str(tmp_path / "other.tgz")])
    assert not out.exists()


def test_without_npm_or_its_registry_one_line_says_what_to_do(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho npm error network connect refused >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    with pytest.raises(SourceError, match=r"connect refused; check the network.*--runtime"):
        runtime.files(None)
    npm.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"npm.*is not installed.*--runtime"):
        runtime.files(None)
