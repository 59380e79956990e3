"""The application behind the page: its routes, headers, limits and refusals, and its process."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_expression.core.errors import ModelError, ParameterError
from facial_expression.inference.boxes import Box, crop
from facial_expression.inference.detection import Detector
from facial_expression.inference.network import Network
from facial_expression.inference.pipeline import Face
from facial_expression.pictures.images import decode, square
from facial_expression.sample.faces import EXPRESSIONS
from tests.networks import CLASSES, tiny_network
from tests.serving import served
from tools.web import card, examples
from tools.web.__main__ import main
from tools.web.answer import Analyzer, BusyError, confidence
from tools.web.server import (
    CONTENT_TYPE,
    HEADERS,
    LOOPBACK,
    MAX_BYTES,
    MAX_REQUEST,
    application,
    is_ours,
    listen,
)

HERE = {"Origin": "http://localhost"}
DRAWN = examples.draw()
FACTS = {"dataset": "drawn", "accuracy": "0.5", "protocol": "clean", "terms": "<b>For tests</b>"}


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Network:
    return Network(tiny_network(tmp_path_factory.mktemp("network") / "tiny.onnx"))


@pytest.fixture(scope="module")
def client(network):
    app = application(Analyzer(network, Detector().find), FACTS, "<p>The card.</p>", DRAWN)
    return app.test_client()


def ask(client, data: bytes, whole: bool = False, **headers: str):
    return client.post(
        "/faces?whole" if whole else "/faces",
        data=data, content_type=CONTENT_TYPE, headers=HERE | headers,
    )  # fmt: skip


def file_of(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture_in(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def noise(width: int = 90, height: int = 60) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width), np.uint8))


def face_with(shares) -> Face:
    return Face(Box(0, 0, 1, 1, 1), np.array(shares, np.float32))


# What it answers


def test_a_drawn_face_is_found_and_classified_as_the_network_does(client, network):
    answer = ask(client, DRAWN["happy"]).get_json()
    (face,) = answer["faces"]
    picture, box = decode(DRAWN["happy"]), Box(**face["box"])
    pixels = crop(picture.grey, box, network.crop, network.side)
    output = network.predict(pixels[None])
    assert (answer["width"], answer["height"]) == picture.grey.size
    assert answer["classes"] == list(CLASSES)
    np.testing.assert_allclose(face["probabilities"], output.probabilities[0], rtol=1e-6)
    np.testing.assert_allclose(face["activation"], output.activation[0], rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(picture_in(face["crop"])), pixels)
    left, top, side = network.crop.square(box)
    assert face["square"] == pytest.approx({"left": left, "top": top, "side": side})
    assert face["entropy"] == pytest.approx(scipy.stats.entropy(output.probabilities[0]), rel=1e-6)


def test_every_face_of_a_picture_comes(client):
    pair = [Image.open(io.BytesIO(DRAWN[name])) for name in ("sad", "surprise")]
    both = Image.new("L", (2 * pair[0].width, pair[0].height))
    for number, each in enumerate(pair):
        both.paste(each, (number * each.width, 0))
    faces = ask(client, file_of(both)).get_json()["faces"]
    middles = sorted(face["box"]["left"] + face["box"]["width"] / 2 for face in faces)
    assert len(middles) == 2
    assert middles[0] < pair[0].width < middles[1]


def test_the_whole_picture_can_be_the_face(client, network):
    data = file_of(noise(90, 60))
    (face,) = ask(client, data, whole=True).get_json()["faces"]
    pixels = square(decode(data), network.side)
    assert face["square"] == {"left": 15, "top": 0, "side": 60}
    np.testing.assert_array_equal(np.asarray(picture_in(face["crop"])), pixels)
    np.testing.assert_allclose(
        face["probabilities"], network.predict(pixels[None]).probabilities[0], rtol=1e-6
    )


def test_a_picture_without_a_face_has_none(client):
    assert ask(client, file_of(noise())).get_json()["faces"] == []


def test_the_picture_comes_back_upright_and_not_too_large(client):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    answer = ask(client, file_of(noise(2400, 1200), "JPEG", exif=exif)).get_json()
    assert (answer["width"], answer["height"]) == (1200, 2400)
    assert picture_in(answer["picture"]).size == (800, 1600)


def test_a_network_without_maps_has_none(tmp_path):
    network = Network(tiny_network(tmp_path / "plain.onnx", activation=False))
    (face,) = Analyzer(network, Detector().find).analyze(DRAWN["sad"])["faces"]
    assert face["activation"] is None


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda shares: sum(shares) > 0.1))
def test_the_words_say_scipys_entropy_and_perplexity(shares):
    face = face_with(np.array(shares) / sum(shares))
    nats = scipy.stats.entropy(face.probabilities.astype(np.float64))
    found = re.search(r"entropy (.*) nats: like a draw among (.*) equally", confidence(face))
    assert [float(text) for text in found.groups()] == pytest.approx(
        [nats, np.exp(nats)], abs=0.051
    )


@pytest.mark.parametrize(
    ("highest", "words"),
    [(0.95, "very sure"), (0.8, "fairly sure"), (0.6, "leaning one way"), (0.4, "unsure")],
)
def test_words_for_how_sure_follow_the_highest_share(highest, words):
    face = face_with([highest, *[(1 - highest) / 2] * 2])
    assert confidence(face).startswith(f"{words} (")


def test_pictures_wait_for_their_turn_but_not_for_ever(network):
    inside, go_on = threading.Event(), threading.Event()

    def find(rgb: Image.Image) -> list[Box]:
        inside.set()
        assert go_on.wait(60)
        return []

    analyzer = Analyzer(network, find, patience=0)
    first = threading.Thread(target=analyzer.analyze, args=[file_of(noise())])
    first.start()
    assert inside.wait(60)
    with pytest.raises(BusyError, match="try again"):
        analyzer.analyze(file_of(noise()))
    busy = ask(application(analyzer, {}, "", {}).test_client(), file_of(noise()))
    assert (busy.status_code, "try again" in busy.get_json()["error"]) == (503, True)
    go_on.set()
    first.join()
    assert analyzer.analyze(file_of(noise()))["faces"] == []


# What it refuses


def assert_refused(response, status: int, *words: str) -> None:
    text = response.get_json()["error"]
    assert response.status_code == status
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_what_is_no_picture_is_refused_with_the_formats(client):
    assert_refused(ask(client, b"no picture"), 422, "cannot be read", "JPEG", "PNG")
    assert_refused(ask(client, DRAWN["sad"][:2000]), 422, "truncated")
    assert_refused(ask(client, b""), 422, "not a picture")


def test_too_large_a_file_is_refused(client):
    assert_refused(ask(client, bytes(MAX_BYTES + 1)), 413, "20 MB", "smaller")
    assert_refused(ask(client, bytes(MAX_BYTES)), 422)  # just fits


@pytest.mark.parametrize("kind", ["multipart/form-data", "text/plain", "image/png", ""])
def test_only_bytes_are_taken(client, kind):
    response = client.post("/faces", data=DRAWN["sad"], content_type=kind, headers=HERE)
    assert_refused(response, 415, CONTENT_TYPE, kind or "no type")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:81", "http://[", ""]
)
def test_another_sites_page_may_not_ask(client, origin):
    assert_refused(ask(client, DRAWN["sad"], Origin=origin), 403, "only this page")


def test_who_says_no_origin_may_not_ask(client):
    assert_refused(
        client.post("/faces", data=b"", content_type=CONTENT_TYPE), 403, "only this page"
    )


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/examples/sad.png"])
def test_a_site_that_renamed_itself_to_this_machine_reads_nothing(client, path):
    assert_refused(client.get(path, headers={"Host": "evil.example"}), 403, "evil.example")


@pytest.mark.parametrize(
    ("asked", "host", "ours"),
    [
        ("127.0.0.1:7860", "127.0.0.1", True),
        ("LOCALHOST", "127.0.0.1", True),
        ("[::1]:7860", "::1", True),
        ("192.168.0.7:7860", "127.0.0.1", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
        ("192.168.0.7:7860", "0.0.0.0", True),
        ("localhost:7860", "0.0.0.0", True),
        ("box.example:7860", "box.example", True),
        ("evil.example", "0.0.0.0", False),
        ("evil.example", "box.example", False),
    ],
)
def test_whose_names_are_ours(asked, host, ours):
    assert is_ours(asked, host) is ours


def test_what_is_not_there_is_not_there(client):
    assert_refused(client.get("/examples/bored.png"), 404)
    assert_refused(client.get("/static/../server.py"), 404)
    assert_refused(client.get("/faces"), 405)


# The document


@pytest.mark.parametrize(
    "path", ["/", "/static/page.css", "/static/page.js", "/examples/fear.png", "/nowhere", "/faces"]
)
def test_every_answer_is_closed_to_others_and_kept_by_nobody(client, path):
    response = client.get(path)
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "Set-Cookie" not in response.headers
    rules = HEADERS["Content-Security-Policy"].split("; ")
    policy = dict(rule.split(" ", 1) for rule in rules)
    assert policy["default-src"] == "'none'"
    assert {policy["script-src"], policy["style-src"], policy["connect-src"]} == {"'self'"}
    assert "camera=(self)" in HEADERS["Permissions-Policy"]


def test_scripts_are_scripts_whatever_the_systems_table_says(client):
    assert client.get("/static/page.js").mimetype == "text/javascript"


SAID = (
    "Apparent expression, not emotion", "accuracy on drawn: 0.5 (protocol", "Article 5(1)(f)",
    "Article 50(3)", "age, sex, skin or culture", "At most 20 MB", "The card.",
)  # fmt: skip


def test_the_page_says_the_networks_limits_and_card(client):
    html = client.get("/").get_data(as_text=True)
    text = re.sub(r"\s+", " ", html)
    assert all(words in text for words in SAID), text
    assert "&lt;b&gt;For tests" in html  # a model file cannot write HTML
    assert all(f"examples/{name}.png" in html for name in EXPRESSIONS)


def test_without_a_card_or_facts_the_page_says_so(network):
    app = application(Analyzer(network, lambda _: []), {}, "", {}, host="0.0.0.0")
    text = re.sub(r"\s+", " ", app.test_client().get("/").get_data(as_text=True))
    assert "no <code>model_card.md</code> beside" in text
    assert "Its accuracy: unknown." in text
    assert "goes unencrypted to the machine that serves" in text


def test_examples_are_drawn_one_for_each_expression_the_same_each_time(client):
    assert examples.draw() == DRAWN
    assert list(DRAWN) == sorted(EXPRESSIONS)
    for name, data in DRAWN.items():
        response = client.get(f"/examples/{name}.png")
        assert (response.mimetype, response.data) == ("image/png", data)
        image = Image.open(io.BytesIO(data))
        assert (image.size, image.mode) == ((384, 384), "L")
    assert len(set(DRAWN.values())) == len(DRAWN)


CARD = """---
license: other
---

# The network

Says *things*.<script>alert(1)</script> [Away](https://evil.example) ![Seen](https://evil.example/x.png)
<https://evil.example>

| a | b |
| --- | --- |
| 1 | <img src=x> |
"""


TAGS = {"h3", "p", "em", "div", "table", "thead", "tr", "th", "tbody", "td"}


def test_a_card_is_rendered_and_can_do_nothing(tmp_path):
    (tmp_path / "model_card.md").write_text(CARD, encoding="utf-8")
    html = card.read_card(tmp_path / "model.onnx")
    assert "license" not in html
    assert "<h3>The network</h3>" in html
    assert "<em>things</em>" in html
    assert "<td>1</td>" in html
    assert set(re.findall(r"<(\w+)", html)) == TAGS
    assert card.read_card(tmp_path / "elsewhere" / "model.onnx") == ""


def test_what_a_file_says_of_itself_is_listed():
    assert card.known({"dataset": "FER2013", "classes": "[]", "licence": ""}) == {
        "Data set": "FER2013"
    }


# The process


def test_an_address_that_is_taken_is_one_line():
    with listen(LOOPBACK[0], 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(ParameterError, match=rf"127.0.0.1 port {port}: .*--port"):
            listen(LOOPBACK[0], port)
    with pytest.raises(ParameterError, match="port 70000"):
        listen(LOOPBACK[0], 70000)
    with pytest.raises(ParameterError, match="no-such-host"):
        listen("no-such-host.invalid", 0)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="no such model"):
        main(["--model", str(tmp_path / "absent.onnx"), "--no-browser"])


def post(url: str, data: bytes) -> tuple[int, bytes]:
    headers = {"Origin": url.rstrip("/"), "Content-Type": CONTENT_TYPE}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}faces", data, headers), timeout=60
        ) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_process_writes_no_file_is_bounded_and_ends_in_one_line(tmp_path):
    """The kernel lets it write no byte to any file (tests/serving.py); a large upload passes."""
    model = tiny_network(tmp_path / "tiny.onnx")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    large = file_of(Image.new("RGB", (2500, 2500)), "BMP")
    assert 0.85 * MAX_BYTES < len(large) < MAX_BYTES
    with served(model, temporary) as page:
        status, answer = post(page.url, large)
        assert (status, b'"faces":[]' in answer.replace(b" ", b"")) == (200, True)
        assert post(page.url, large + bytes(MAX_BYTES - len(large)))[0] == 200
        for size in (MAX_BYTES + 1, MAX_REQUEST - 1):  # the application's own words, for the page
            status, answer = post(page.url, bytes(size))
            assert (status, "larger than 20 MB" in json.loads(answer)["error"]) == (413, True)
        port = int(page.url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            line.sendall(
                b"POST /faces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n"
            )
            assert line.recv(100).startswith(b"HTTP/1.1 413")  # before a byte of it was sent
        assert not list(temporary.iterdir())
        assert page.interrupt().strip() == "the page is closed"
        assert page.process.returncode == 0
