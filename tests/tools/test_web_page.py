"""The page in a real browser: inputs, answers, keyboard, small screens, and no foreign request.

One page with two engines: the server of tools.web, and the browser itself on tools.site's page.
"""

import base64
import io
import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.helpers import encoded
from tests.networks import CLASSES, tiny_network
from tests.serving import hosted, served
from tools.web.examples import draw

pytestmark = pytest.mark.slow  # a browser; tests/tools/test_web.py checks the server quickly

LOCAL = ("data:", "blob:")  # addresses without a request
CARD = "# A card\n\nWhat it *is*.\n\n| class | recall |\n| --- | --- |\n| sad | 0.5 |\n"
DRAWN = draw()


@pytest.fixture(scope="module", params=["server", "browser"])
def engine(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def url(browser, engine, tmp_path_factory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("served")
    (root / "model_card.md").write_text(CARD, encoding="utf-8")
    model = tiny_network(root / "tiny.onnx")
    if engine == "browser":
        with hosted(root / "site", "--model", str(model)) as address:
            yield address
    else:
        with served(model, root) as page:
            yield page.url


@pytest.fixture
def page(browser, url) -> Iterator[Page]:
    """The page in a new profile; fails on script errors, foreign requests and cookies."""
    context = browser.new_context(base_url=url, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("filechooser", lambda _: None)  # otherwise the first one is the system's dialog
    page.goto("/")
    yield page
    assert failures == []
    assert [each for each in requests if not each.startswith((url, *LOCAL))] == []
    assert context.cookies() == []
    context.close()


def upload(page: Page, data: bytes, name: str = "picture.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})


def side_by_side(*names: str) -> bytes:
    faces = [np.asarray(Image.open(io.BytesIO(DRAWN[name]))) for name in names]
    return encoded(Image.fromarray(np.hstack(faces)))


def expect_answer(page: Page, picture_before: str | None = None) -> None:
    if picture_before is not None:
        expect(page.locator("#picture")).not_to_have_attribute("src", picture_before)
    expect(page.get_by_role("status")).to_contain_text("1 face:")
    expect(page.get_by_role("heading", name="Apparent expression:")).to_be_visible()


def pixels(page: Page, canvas: str) -> str:
    return page.eval_on_selector(canvas, "canvas => canvas.toDataURL()")


def give(page: Page, way: str, data: bytes, padding: int = 0) -> None:
    """Drop or paste a file of `data` and `padding` zeros."""
    page.evaluate(
        """([way, text, padding]) => {
          const data = new DataTransfer();
          const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
          data.items.add(new File([bytes, new Uint8Array(padding)], "a.png", {type: "image/png"}));
          const options = {bubbles: true, cancelable: true};
          document.body.dispatchEvent(way === "drop"
            ? new DragEvent("drop", {...options, dataTransfer: data})
            : new ClipboardEvent("paste", {...options, clipboardData: data}));
        }""",
        [way, base64.b64encode(data).decode(), padding],
    )


def test_an_uploaded_picture_gets_its_label_bars_and_map(page):
    upload(page, DRAWN["happy"])
    expect_answer(page)
    table = page.get_by_role("table", name="Probability of each expression")
    names = table.get_by_role("rowheader").all_inner_texts()
    cells = table.get_by_role("cell").all_inner_texts()
    shares = [float(cell.removesuffix(" %")) for cell in cells]
    assert sorted(names) == sorted(CLASSES)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)
    expect(page.locator("#face-title")).to_have_text(f"Apparent expression: {names[0]}, {cells[0]}")
    expect(page.get_by_text("The network is")).to_contain_text("equally likely")
    expect(
        page.get_by_role("img", name="The face as the network sees it, 48 by 48")
    ).to_be_visible()
    assert page.locator("#boxes rect.box").count() == 1
    maps = set()
    for name in CLASSES:
        page.get_by_role("combobox", name="Evidence for").select_option(name)
        expect(page.get_by_role("img", name=f"Evidence for {name} laid over")).to_be_visible()
        maps.add(pixels(page, "#map"))
    assert len(maps) == len(CLASSES)
    page.get_by_label("Strength of the colours").fill("0")
    bare = pixels(page, "#map")
    page.get_by_role("combobox", name="Evidence for").select_option(CLASSES[0])
    assert pixels(page, "#map") == bare, "nothing lies over the face"


def test_examples_drop_paste_and_camera_are_inputs_too(page):
    page.get_by_role("button", name="Drawn face, meant as surprise").click()
    expect_answer(page)
    for way, name in (("drop", "sad"), ("paste", "fear")):
        before = page.locator("#picture").get_attribute("src")
        give(page, way, DRAWN[name])
        expect_answer(page, before)
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Take the picture")).to_be_focused()
    expect(page.locator("video")).not_to_have_js_property("videoWidth", 0)
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_role("status")).to_contain_text("No face was found")  # a test pattern
    page.evaluate("window.stream = document.querySelector('video').srcObject")
    page.get_by_role("button", name="Close the camera").click()
    assert page.evaluate("stream.getTracks().every(track => track.readyState === 'ended')")
    expect(page.get_by_role("button", name="Use the camera")).to_be_focused()


def test_without_a_face_the_whole_picture_can_be_used(page):
    upload(page, encoded(Image.effect_noise((120, 80), 60)))
    expect(page.get_by_role("heading", name="No face was found")).to_be_visible()
    page.get_by_role("button", name="Use the whole picture as one face").click()
    expect(page.get_by_role("status")).to_contain_text("The whole picture as one face:")
    expect(page.locator("#nobody")).to_be_hidden()
    expect(page.get_by_role("table", name="Probability of each expression")).to_be_visible()


def test_each_of_several_faces_can_be_chosen_by_arrow_key_and_by_click(page):
    upload(page, side_by_side("sad", "surprise"))
    expect(page.get_by_role("status")).to_contain_text("2 faces; the first:")
    radios = page.get_by_role("radio")
    expect(radios).to_have_count(2)
    radios.first.focus()
    page.keyboard.press("ArrowRight")
    expect(radios.nth(1)).to_be_checked()
    expect(page.locator("#face-title")).to_contain_text("Face 2:")
    page.locator("#boxes rect.box").first.click(force=True)
    expect(radios.first).to_be_checked()
    expect(page.locator("#face-title")).to_contain_text("Face 1:")


def test_a_file_that_is_not_a_picture_or_too_large_is_explained(page, engine):
    upload(page, DRAWN["happy"])
    expect_answer(page)
    upload(page, b"no picture", "letter.doc")
    expect(page.get_by_role("alert")).to_contain_text("cannot be read")
    expect(page.locator("#result")).to_be_hidden()  # the old answer does not belong to this file
    upload(page, DRAWN["happy"])
    expect_answer(page)
    expect(page.get_by_role("alert")).to_be_hidden()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    limit = 20 if engine == "server" else 256
    give(page, "drop", b"", padding=(limit + 1) * 2**20)
    text = f"{limit + 1}.0 MB; the limit is {limit} MB"
    expect(page.get_by_role("alert")).to_contain_text(text)
    assert "POST" not in sent


def test_the_keyboard_is_enough(page):
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Choose a picture")).to_be_focused()
    assert page.eval_on_selector(":focus", "e => getComputedStyle(e).outlineStyle") == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    data = {"name": "a.png", "mimeType": "image/png", "buffer": DRAWN["neutral"]}
    chooser.value.set_files(data)
    expect_answer(page)
    for _ in range(12):  # past the camera and the drawn faces
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "asked":
            break
    expect(page.get_by_role("combobox", name="Evidence for")).to_be_focused()


def test_small_screens_and_screen_readers(page):
    def too_wide() -> list[int]:
        found = []
        for width in (320, 390, 768, 1280):
            page.set_viewport_size({"width": width, "height": 740})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(width)
        return found

    assert too_wide() == []
    upload(page, side_by_side("sad", "surprise"))
    expect(page.locator("#face")).to_be_visible()
    page.get_by_text("Read the whole card").click()
    expect(page.get_by_role("cell", name="0.5")).to_be_visible()
    assert too_wide() == []
    tree = page.locator("body").aria_snapshot()
    lines = [line.strip().removeprefix("- ").rstrip(":") for line in tree.splitlines()]
    named = {"button", "radio", "combobox", "slider", "link", "img", "textbox"}
    assert not named & set(lines), "every control and picture has a name"
    levels = page.eval_on_selector_all(
        "h1, h2, h3, h4", "all => all.filter(e => e.checkVisibility()).map(e => +e.tagName[1])"
    )
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_without_javascript_the_page_says_what_works(browser, url):
    page = browser.new_page(java_script_enabled=False)
    page.goto(url)
    assert "This page needs JavaScript" in page.inner_html("noscript")
    expect(page.get_by_text("Apparent expression, not emotion")).to_be_visible()
    page.close()


def test_the_browser_itself_blocks_inline_scripts_and_foreign_requests(browser, url, engine):
    def with_script(route: Route) -> None:
        answer = route.fetch()  # with the headers of the server
        text = answer.text().replace("</body>", "<script>window.inline = true</script></body>")
        route.fulfill(response=answer, body=text)

    page = browser.new_page()
    page.route(url, with_script)
    page.goto(url)
    assert "window.inline" in page.content()
    assert page.evaluate("window.inline") is None
    worker = engine == "browser"  # its worker obeys the page's rules
    blocked = page.evaluate(
        """worker => new Promise(done => {
          const blocked = [];
          const note = directive => {
            blocked.push(directive);
            if (blocked.length === 4) done(blocked.sort());
          };
          document.addEventListener(
            "securitypolicyviolation", event => note(event.effectiveDirective));
          if (worker) {
            const code = `addEventListener("securitypolicyviolation",
              event => postMessage("worker's " + event.effectiveDirective));
              fetch("https://example.org/").catch(() => {});`;
            new Worker(URL.createObjectURL(new Blob([code]))).onmessage = ({data}) => note(data);
          }
          fetch("https://example.org/").catch(() => {});
          new Image().src = "https://example.org/a.png";
          document.head.append(Object.assign(document.createElement("link"),
            {rel: "stylesheet", href: "https://example.org/a.css"}));
          try { document.body.innerHTML = "<b>"; } catch { /* a Trusted Type is required */ }
        })""",
        worker,
    )
    last = "worker's connect-src" if worker else "require-trusted-types-for"
    assert blocked == sorted(["connect-src", "img-src", "style-src-elem", last])
    page.close()
