"""The server of the page: its answers, headers, limits and refusals, and its process."""

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
from markupsafe import Markup
from PIL import Image

from facial_expression.core.errors import ParameterError
from facial_expression.inference.boxes import Box, crop
from facial_expression.inference.detection import Detector
from facial_expression.inference.network import Network
from facial_expression.pictures.images import decode, square
from tests.helpers import encoded
from tests.networks import CLASSES, tiny_network
from tests.serving import served
from tools.web import card, examples
from tools.web.answer import Analyzer, BusyError
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

pytestmark = pytest.mark.extra

HERE = {"Origin": "http://localhost"}
DRAWN = examples.draw()
FACTS = {"dataset": "drawn", "accuracy": "0.5", "protocol": "clean", "terms": "<b>For tests</b>"}


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Network:
    return Network(tiny_network(tmp_path_factory.mktemp("network") / "tiny.onnx"))


@pytest.fixture(scope="module")
def client(network):
    texts = {"The card": Markup("<p>The card.</p>")}
    app = application(Analyzer(network, Detector().find), FACTS, texts, DRAWN)
    return app.test_client()


def send(client, data: bytes, whole: bool = False, **headers: str):
    path = "/faces?whole" if whole else "/faces"
    return client.post(path, data=data, content_type=CONTENT_TYPE, headers=HERE | headers)


def picture_in(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def noise(width: int = 90, height: int = 60) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width), np.uint8))


# Answers


def test_a_drawn_face_is_found_and_classified_as_the_network_does(client, network):
    answer = send(client, DRAWN["happy"]).get_json()
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


def test_a_picture_has_any_number_of_faces_or_is_one_itself(client, network):
    data = encoded(noise(90, 60))
    assert send(client, data).get_json()["faces"] == []
    (face,) = send(client, data, whole=True).get_json()["faces"]
    assert face["square"] == {"left": 15, "top": 0, "side": 60}
    pixels = square(decode(data), network.side)
    np.testing.assert_array_equal(np.asarray(picture_in(face["crop"])), pixels)
    pair = [decode(DRAWN[name]).grey for name in ("sad", "surprise")]
    faces = send(client, encoded(Image.fromarray(np.hstack(pair)))).get_json()["faces"]
    left, right = sorted(face["box"]["left"] + face["box"]["width"] / 2 for face in faces)
    assert left < pair[0].width < right


def test_the_preview_is_upright_and_reduced(client):
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn it by 90 degrees
    answer = send(client, encoded(noise(2400, 1200), "JPEG", exif=exif)).get_json()
    assert (answer["width"], answer["height"]) == (1200, 2400)
    assert picture_in(answer["picture"]).size == (800, 1600)


def test_pictures_wait_for_their_turn_for_a_limited_time(network):
    inside, go_on = threading.Event(), threading.Event()

    def find(rgb: Image.Image) -> list[Box]:
        inside.set()
        assert go_on.wait(60)
        return []

    analyzer = Analyzer(network, find, patience=0)
    first = threading.Thread(target=analyzer.analyze, args=[encoded(noise())])
    first.start()
    assert inside.wait(60)
    with pytest.raises(BusyError, match="try again"):
        analyzer.analyze(encoded(noise()))
    busy = send(application(analyzer, {}, {}, {}).test_client(), encoded(noise()))
    assert (busy.status_code, "try again" in busy.get_json()["error"]) == (503, True)
    go_on.set()
    first.join()
    assert analyzer.analyze(encoded(noise()))["faces"] == []


# Refusals


def assert_refused(response, status: int, *words: str) -> None:
    text = response.get_json()["error"]
    assert response.status_code == status
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_files_that_are_not_pictures_or_too_large_are_refused(client):
    assert_refused(send(client, b"no picture"), 422, "cannot be read", "JPEG", "PNG")
    assert_refused(send(client, DRAWN["sad"][:2000]), 422, "truncated")
    assert_refused(send(client, b""), 422, "not a picture")
    assert_refused(send(client, bytes(MAX_BYTES + 1)), 413, "20 MB", "smaller")
    assert_refused(send(client, bytes(MAX_BYTES)), 422)  # not too large


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Content-Type": "multipart/form-data"}, 415, CONTENT_TYPE),
        ({"Content-Type": ""}, 415, "no type"),
        ({"Origin": "http://evil.example"}, 403, "only this page"),
        ({"Origin": "http://localhost:81"}, 403, "only this page"),
        ({"Origin": "null"}, 403, "only this page"),
        ({"Origin": "http://["}, 403, "only this page"),
        ({"Origin": ""}, 403, "only this page"),
        ({"Host": "evil.example"}, 403, "evil.example"),  # DNS rebinding
    ],
)
def test_another_site_s_page_cannot_send_pictures(client, headers, status, words):
    response = client.post(
        "/faces", data=b"", headers=HERE | {"Content-Type": CONTENT_TYPE} | headers
    )
    assert_refused(response, status, words)


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/examples/sad.png"])
def test_dns_rebinding_reads_nothing(client, path):
    assert_refused(client.get(path, headers={"Host": "evil.example"}), 403, "evil.example")


@pytest.mark.parametrize(
    ("asked", "host", "ours"),
    [
        ("127.0.0.1:7860", "127.0.0.1", True),
        ("[::1]:7860", "::1", True),
        ("192.168.0.7:7860", "127.0.0.1", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
        ("192.168.0.7:7860", "0.0.0.0", True),
        ("box.example:7860", "box.example", True),
        ("evil.example", "0.0.0.0", False),
    ],
)
def test_which_host_names_are_ours(asked, host, ours):
    assert is_ours(asked, host) is ours


# The page


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/examples/fear.png", "/nowhere"])
def test_every_answer_has_the_security_headers_and_no_cookie(client, path):
    response = client.get(path)
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "Set-Cookie" not in response.headers
    rules = response.headers["Content-Security-Policy"].split("; ")
    policy = dict(rule.split(" ", 1) for rule in rules)
    assert policy["default-src"] == "'none'"
    assert {policy["script-src"], policy["style-src"], policy["connect-src"]} == {"'self'"}
    assert "camera=(self)" in response.headers["Permissions-Policy"]
    assert path != "/static/page.js" or response.mimetype == "text/javascript"


def test_the_page_states_the_network_s_limits_and_card(client):
    text = " ".join(client.get("/").get_data(as_text=True).split())
    for words in (
        "Apparent expression, not emotion", "accuracy on drawn: 0.5 (protocol", "Article 5(1)(f)",
        "Article 50(3)", "age, sex, skin colour and culture", "At most 20 MB", "The card.",
        "&lt;b&gt;For tests",  # a model file cannot write HTML
    ):  # fmt: skip
        assert words in text


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


def test_a_card_becomes_harmless_html(tmp_path):
    (tmp_path / "model_card.md").write_text(CARD, encoding="utf-8")
    (html,) = card.documents(tmp_path / "model.onnx").values()
    assert "license" not in html
    assert all(part in html for part in ("<h3>The network</h3>", "<em>things</em>", "<td>1</td>"))
    assert not {"script", "a", "img"} & set(re.findall(r"<(\w+)", html))
    assert card.documents(tmp_path / "elsewhere" / "model.onnx") == {}


# The process


def test_an_address_that_cannot_be_used_is_one_line():
    with listen(LOOPBACK[0], 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(ParameterError, match=rf"127.0.0.1 port {port}: .*--port"):
            listen(LOOPBACK[0], port)
    with pytest.raises(ParameterError, match="port 70000"):
        listen(LOOPBACK[0], 70000)
    with pytest.raises(ParameterError, match="--host: expected an address"):
        listen("", 0)
    with pytest.raises(ParameterError, match="no-such-host"):
        listen("no-such-host.invalid", 0)


def post(url: str, data: bytes) -> tuple[int, bytes]:
    headers = {"Origin": url.rstrip("/"), "Content-Type": CONTENT_TYPE}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}faces", data, headers), timeout=60
        ) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_process_writes_no_file_limits_requests_and_ends_in_one_line(tmp_path):
    """Under a kernel limit it can write no file (tests/serving.py); a large upload still works."""
    model = tiny_network(tmp_path / "tiny.onnx")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    large = encoded(Image.new("RGB", (2500, 2500)), "BMP")
    assert 0.85 * MAX_BYTES < len(large) < MAX_BYTES
    with served(model, temporary) as page:
        port = int(page.url.rstrip("/").rpartition(":")[2])
        half_open = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(40)]
        half_open[-1].sendall(b"GET / HTTP/1.1\r\nHost:")
        status, answer = post(page.url, large + bytes(MAX_BYTES - len(large)))
        assert (status, json.loads(answer)["faces"]) == (200, [])
        for size in (MAX_BYTES + 1, MAX_REQUEST - 1):  # explained by the application
            status, answer = post(page.url, bytes(size))
            assert (status, "larger than 20 MB" in json.loads(answer)["error"]) == (413, True)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            line.sendall(
                b"POST /faces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n"
            )
            assert line.recv(100).startswith(b"HTTP/1.1 413")  # before a byte of it was sent
        with half_open[-1] as last:
            assert last.recv(1) == b""  # closed, though it never ended its request
        assert not list(temporary.iterdir())
        assert page.interrupt().strip() == "the page is closed"
        assert page.process.returncode == 0
