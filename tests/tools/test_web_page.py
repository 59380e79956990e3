"""The page in a real browser: every way in, every answer, keyboard, phone, and no request out."""

from __future__ import annotations

import base64
import io
import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browsing import CHROMIUM
from tests.networks import CLASSES, tiny_network
from tests.serving import served
from tools.web.examples import draw

ALONE = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
OWN = ("data:", "blob:")  # addresses that are no request
CARD = "# A card\n\nWhat it *is*.\n\n| class | recall |\n| --- | --- |\n| sad | 0.5 |\n"
DRAWN = draw()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*ALONE, *CAMERA])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url(browser, tmp_path_factory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("served")
    (root / "model_card.md").write_text(CARD, encoding="utf-8")
    with served(tiny_network(root / "tiny.onnx"), root) as page:
        yield page.url


@pytest.fixture
def context(browser, url) -> Iterator[BrowserContext]:
    """A fresh profile; the test fails if a request went anywhere but to the page's server."""
    context = browser.new_context(base_url=url, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context
    assert [each for each in asked if not each.startswith((url, *OWN))] == []
    assert context.cookies() == []
    context.close()


@pytest.fixture
def page(context) -> Iterator[Page]:
    """The opened page; the test fails if a script of it failed."""
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("filechooser", lambda _: None)  # in good time: else the first one is the system's
    page.goto("/")
    yield page
    assert failures == []


def upload(page: Page, data: bytes, name: str = "picture.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})


def side_by_side(*names: str) -> bytes:
    faces = [Image.open(io.BytesIO(DRAWN[name])) for name in names]
    both = Image.new("L", (sum(face.width for face in faces), faces[0].height))
    for number, face in enumerate(faces):
        both.paste(face, (number * face.width, 0))
    stream = io.BytesIO()
    both.save(stream, "PNG")
    return stream.getvalue()


def assert_answered(page: Page) -> None:
    expect(page.get_by_role("status")).to_contain_text("1 face:")
    expect(page.get_by_role("heading", name="Apparent expression:")).to_be_visible()


def pixels(page: Page, canvas: str) -> str:
    return page.eval_on_selector(canvas, "canvas => canvas.toDataURL()")


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it holds within 30 s (the driver's own way evaluates text: the page forbids it)."""
    end = time.monotonic() + 30
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.02)
    return held


# Ways in


def test_an_uploaded_picture_gets_its_label_bars_and_map(page):
    upload(page, DRAWN["happy"])
    assert_answered(page)
    table = page.get_by_role("table", name="Probability of each expression")
    names = table.get_by_role("rowheader").all_inner_texts()
    cells = table.get_by_role("cell").all_inner_texts()
    shares = [float(cell.removesuffix(" %")) for cell in cells]
    assert sorted(names) == sorted(CLASSES)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)
    label, share = names[0], cells[0]
    expect(page.locator("#face-title")).to_have_text(f"Apparent expression: {label}, {share}")
    expect(page.get_by_text("The network is")).to_contain_text("equally likely")
    expect(
        page.get_by_role("img", name="The face as the network sees it, 48 by 48")
    ).to_be_visible()
    expect(page.get_by_role("img", name=f"Evidence for {label} laid over")).to_be_visible()
    assert page.locator("#boxes rect.box").count() == 1


def test_the_evidence_follows_the_class_and_the_strength(page):
    upload(page, DRAWN["happy"])
    assert_answered(page)
    seen = set()
    for name in CLASSES:
        page.get_by_role("combobox", name="Evidence for").select_option(name)
        expect(page.get_by_role("img", name=f"Evidence for {name} laid over")).to_be_visible()
        seen.add(pixels(page, "#map"))
    assert len(seen) == len(CLASSES)
    page.get_by_label("Strength of the colours").fill("0")
    bare = pixels(page, "#map")
    page.get_by_role("combobox", name="Evidence for").select_option(CLASSES[0])
    assert pixels(page, "#map") == bare  # nothing lies over the face


def test_a_drawn_face_can_be_tried(page):
    page.get_by_role("button", name="Drawn face, meant as surprise").click()
    assert_answered(page)


def test_a_still_from_the_camera_is_looked_at_and_the_camera_closes(page):
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Take the picture")).to_be_focused()
    expect(page.locator("video")).not_to_have_js_property("videoWidth", 0)
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_role("status")).to_contain_text("No face was found")  # a test pattern
    page.evaluate("window.stream = document.querySelector('video').srcObject")
    page.get_by_role("button", name="Close the camera").click()
    assert page.evaluate("stream.getTracks().every(track => track.readyState === 'ended')")
    expect(page.get_by_role("button", name="Use the camera")).to_be_focused()


def test_a_picture_can_be_dropped_or_pasted(page):
    for way, name in (("drop", "sad"), ("paste", "fear")):
        before = page.locator("#picture").get_attribute("src")
        page.evaluate(
            """([way, text]) => {
              const data = new DataTransfer();
              const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
              data.items.add(new File([bytes], "picture.png", {type: "image/png"}));
              const options = {bubbles: true, cancelable: true};
              document.body.dispatchEvent(way === "drop"
                ? new DragEvent("drop", {...options, dataTransfer: data})
                : new ClipboardEvent("paste", {...options, clipboardData: data}));
            }""",
            [way, base64.b64encode(DRAWN[name]).decode()],
        )
        expect(page.locator("#picture")).not_to_have_attribute("src", before or "")
        assert_answered(page)


# Answers


def test_no_face_says_what_helps_and_offers_the_whole_picture(page):
    stream = io.BytesIO()
    Image.effect_noise((120, 80), 60).save(stream, "PNG")
    upload(page, stream.getvalue())
    expect(page.get_by_role("heading", name="No face was found")).to_be_visible()
    page.get_by_role("button", name="Use the whole picture as one face").click()
    expect(page.get_by_role("status")).to_contain_text("The whole picture as one face:")
    expect(page.locator("#nobody")).to_be_hidden()
    expect(page.get_by_role("table", name="Probability of each expression")).to_be_visible()


def test_each_of_several_faces_can_be_chosen_by_arrow_key_and_by_click(page):
    upload(page, side_by_side("sad", "surprise"))
    expect(page.get_by_role("status")).to_contain_text("2 faces; the first:")
    radios = page.get_by_role("radio")
    assert radios.count() == 2
    first = pixels(page, "#crop")
    radios.first.focus()
    page.keyboard.press("ArrowRight")
    expect(radios.nth(1)).to_be_checked()
    expect(page.locator("#face-title")).to_contain_text("Face 2:")
    assert eventually(lambda: pixels(page, "#crop") != first)
    page.locator("#boxes rect.box").first.click(force=True)
    expect(radios.first).to_be_checked()
    expect(page.locator("#face-title")).to_contain_text("Face 1:")


def test_numbers_stand_beside_the_faces_of_a_crowd_and_inside_the_picture(page):
    crowd = Image.new("L", (1000, 700), 200)
    places = [(x, y) for y in (2, 300, 650) for x in (2, 300, 600, 948)]
    for place, name in zip(places, itertools.cycle(DRAWN), strict=False):
        crowd.paste(Image.open(io.BytesIO(DRAWN[name])).resize((48, 48)), place)
    stream = io.BytesIO()
    crowd.save(stream, "PNG")
    upload(page, stream.getvalue())
    expect(page.get_by_role("status")).to_contain_text("faces; the first:")
    corners = (
        """all => all.map(e => e.getBBox()).map(b => [b.x, b.y, b.x + b.width, b.y + b.height])"""
    )
    boxes = page.eval_on_selector_all("#boxes rect.box", corners)
    numbers = page.eval_on_selector_all("#boxes text", corners)
    assert len(boxes) == len(numbers) > 9  # two digits as well
    for left, top, right, bottom in numbers:
        assert -1 <= left < right <= 1001
        assert -6 <= top < bottom <= 706  # the letters' own margin
        for box in boxes:
            apart = (left - box[2], box[0] - right, top - box[3], box[1] - bottom)
            assert max(apart) > -6, (left, top, box)


def test_a_file_that_is_no_picture_is_explained(page):
    upload(page, DRAWN["happy"])
    assert_answered(page)
    upload(page, b"no picture", "letter.doc")
    expect(page.get_by_role("alert")).to_contain_text("cannot be read")
    expect(page.get_by_role("alert")).to_contain_text("JPEG")
    expect(page.locator("#result")).to_be_hidden()  # the old answer would stand for the new file
    upload(page, DRAWN["happy"])
    assert_answered(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_too_large_a_file_is_not_even_sent(page):
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(21 * 2 ** 20)], "large.bmp"));
          document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, dataTransfer: data}));
        }"""
    )
    expect(page.get_by_role("alert")).to_contain_text("21.0 MB, at most 20")
    assert "POST" not in sent


def test_what_is_missing_is_named_map_card_and_at_last_the_server(browser, tmp_path):
    with served(tiny_network(tmp_path / "tiny.onnx", activation=False), tmp_path) as other:
        page = browser.new_page()
        page.goto(other.url)
        expect(page.get_by_text("There is no model_card.md beside")).to_be_visible()
        upload(page, DRAWN["sad"])
        assert_answered(page)
        expect(page.get_by_text("There is no map of the evidence")).to_be_visible()
        expect(page.locator("#map")).to_be_hidden()
        other.interrupt()
        upload(page, DRAWN["sad"])
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        page.close()


# For everybody


def test_the_keyboard_alone_is_enough(page):
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
    assert_answered(page)
    for _ in range(12):  # past the camera and the drawn faces
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "asked":
            break
    expect(page.get_by_role("combobox", name="Evidence for")).to_be_focused()


def test_nothing_is_wider_than_the_screen(page):
    def too_wide() -> list[int]:
        found = []
        for width in (320, 360, 390, 768, 1280):
            page.set_viewport_size({"width": width, "height": 740})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(width)
        return found

    assert too_wide() == []
    upload(page, side_by_side("sad", "surprise"))
    expect(page.locator("#face")).to_be_visible()
    assert too_wide() == []
    page.get_by_text("Read the whole card").click()
    expect(page.get_by_role("cell", name="0.5")).to_be_visible()
    assert too_wide() == []
    upload(page, b"no picture")
    expect(page.get_by_role("alert")).to_be_visible()
    assert too_wide() == []


def test_every_control_and_picture_has_a_name_and_headings_go_down_step_by_step(page):
    upload(page, side_by_side("sad", "surprise"))
    expect(page.locator("#face")).to_be_visible()
    page.get_by_text("Read the whole card").click()
    tree = page.locator("body").aria_snapshot()
    nameless = ("button", "radio", "combobox", "slider", "link", "img", "table", "textbox")
    lines = [line.strip().removeprefix("- ") for line in tree.splitlines()]
    assert [line for line in lines if line.rstrip(":") in nameless] == ["table:"]  # the card's own
    levels = page.eval_on_selector_all(
        "h1, h2, h3, h4", "all => all.filter(e => e.checkVisibility()).map(e => +e.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_without_javascript_the_page_says_what_works(browser, url):
    page = browser.new_page(java_script_enabled=False)
    page.goto(url)
    assert "JavaScript, which is switched off" in page.inner_html("noscript")
    expect(page.get_by_text("Apparent expression, not emotion")).to_be_visible()
    page.close()


def test_the_browser_itself_refuses_what_would_leave_the_machine(browser, url):
    page = browser.new_page()
    page.goto(url)
    blocked = page.evaluate(
        """() => new Promise(done => {
          const blocked = [];
          document.addEventListener("securitypolicyviolation", event => {
            blocked.push(event.effectiveDirective);
            if (blocked.length === 4) done(blocked.sort());
          });
          fetch("https://example.org/").catch(() => {});
          new Image().src = "https://example.org/a.png";
          const add = (name, values) => document.head.append(
            Object.assign(document.createElement(name), values));
          add("link", {rel: "stylesheet", href: "https://example.org/a.css"});
          try { document.body.innerHTML = "<b>"; } catch { /* a Trusted Type is wanted */ }
        })"""
    )
    assert blocked == ["connect-src", "img-src", "require-trusted-types-for", "style-src-elem"]
    page.close()
